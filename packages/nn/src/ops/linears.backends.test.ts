import { expectNoLeak } from '@mmllm/conformance';
import { ShapeError, type WeightType } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { holdWeight } from './held/hold';
import { type LinearLayer, linear, linears } from './linear';
import { randomHost, read, upload } from './testing/float64';

const IN = 37;

/** Three layers of different widths, the second one without a bias. */
const layersOf = (types: readonly WeightType[]): LinearLayer[] =>
  types.map((type, i) => {
    const shape: [number, number] = [IN, [8, 21, 5][i]!];
    const values = randomHost(shape, i, 0.1);
    const weight =
      type === 'float32' ? upload(values) : holdWeight({ values: values.data, shape, inputAxis: 0 }, type);
    return { weight, ...(i !== 1 && { bias: upload(randomHost([shape[1]], 7 + i)) }) };
  });

const disposeLayers = (layers: readonly LinearLayer[]) => {
  for (const { weight, bias } of layers) {
    weight.dispose();
    bias?.dispose();
  }
};

describeBackends('linears', (backend) => {
  it.each([
    [['float32', 'float32', 'float32']],
    [['q8', 'q8', 'q8']],
    [['float32', 'q4_1', 'bfloat16']],
  ] as const)('gives what each layer gives, to the bit: %o', async (types) => {
    await expectNoLeak(async () => {
      const layers = layersOf(types);
      for (const leading of [[1, 1], [2, 3], [20]]) {
        const x = upload(randomHost([...leading, IN], 5));
        const joined = linears(x, layers);
        for (const [i, { weight, bias }] of layers.entries()) {
          const alone = linear(x, weight, { bias });
          expect(joined[i]!.shape).toEqual(alone.shape);
          expect((await read(joined[i]!)).data).toEqual((await read(alone)).data);
          alone.dispose();
        }
        tf.dispose([x, joined]);
      }
      disposeLayers(layers);
    });
  });

  it('has the gradients of the layers', async () => {
    const layers = layersOf(['float32', 'float32', 'float32']);
    const x = upload(randomHost([2, IN], 5));
    const gradientOf = (parts: (x: tf.Tensor) => tf.Tensor[]) =>
      tf.tidy(() => tf.grad((input) => tf.addN(parts(input).map((part) => tf.sum(tf.square(part)))))(x));
    const joined = gradientOf((input) => linears(input, layers));
    const alone = gradientOf((input) => layers.map(({ weight, bias }) => linear(input, weight, { bias })));
    expect((await read(joined)).data).toEqual((await read(alone)).data);
    tf.dispose([x, joined, alone]);
    disposeLayers(layers);
  });

  it('is one call, where the backend has a kernel for it', () => {
    const layers = layersOf(['float32', 'q8', 'float32']);
    const x = upload(randomHost([1, IN], 5));
    const before = tf.memory().numTensors;
    const outputs = linears(x, layers);
    expect(tf.memory().numTensors - before).toBe(3);
    expect(tf.getKernel('mmllm/Linears', backend) !== undefined).toBe(backend === 'wasm');
    tf.dispose([x, outputs]);
    disposeLayers(layers);
  });

  it('refuses an input of another width', () => {
    const layers = layersOf(['float32', 'float32', 'float32']);
    const x = upload(randomHost([1, IN + 1], 5));
    expect(() => linears(x, layers)).toThrow(ShapeError);
    x.dispose();
    disposeLayers(layers);
  });
});
