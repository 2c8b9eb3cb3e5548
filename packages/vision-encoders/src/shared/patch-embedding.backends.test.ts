import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { normal } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { PatchEmbedding } from './patch-embedding';

/** Tokens, and the gradients of pixels, weight and bias for one gradient of the tokens. */
function run(form: 'linear' | 'convolution', shape: [number, number, number, number]): tf.Tensor[] {
  const embedding = new PatchEmbedding({
    patchSize: 4,
    hiddenSize: 5,
    bias: true,
    initializer: normal(1),
    form,
  });
  embedding.initialize({ seed: 7 });
  const results = tf.tidy(() => {
    const pixels = tf.randomNormal<tf.Rank.R4>(shape, 0, 1, 'float32', 1);
    const tokens = embedding.forward(pixels);
    const dy = tf.randomNormal(tokens.shape, 0, 1, 'float32', 2);
    const loss = (x: tf.Tensor4D) => tf.sum(tf.mul(embedding.forward(x), dy)) as tf.Scalar;
    const variables = [embedding.weight, embedding.bias].map((parameter) => parameter?.value as tf.Variable);
    const { grads } = tf.variableGrads(() => loss(pixels), variables);
    const ofPixels = tf.grad((x) => loss(x as tf.Tensor4D))(pixels);
    return [tokens, ofPixels, ...variables.map(({ name }) => grads[name])];
  });
  embedding.dispose();
  return results;
}

describeBackends('the two forms of PatchEmbedding', () => {
  it.each([
    ['whole patches', [2, 8, 12, 3]],
    ['a remainder', [1, 11, 9, 3]],
  ] as [string, [number, number, number, number]][])(
    'give equal tokens and gradients: %s',
    async (_, shape) => {
      await expectNoLeak(async () => {
        const [linear, convolution] = [run('linear', shape), run('convolution', shape)];
        expect(linear.map((tensor) => tensor.shape)).toEqual([
          [shape[0], linear[0].shape[1], 5],
          shape,
          [48, 5],
          [5],
        ]);
        for (const [i, name] of ['tokens', 'd pixels', 'd weight', 'd bias'].entries()) {
          await assertTensorsClose(linear[i], convolution[i], { tolerance: 1e-5, name });
          expect((await linear[i].data()).every((value) => value === 0)).toBe(false);
        }
        tf.dispose([linear, convolution]);
      });
    },
  );
});
