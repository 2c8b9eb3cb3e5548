import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { lossAndGradients } from './backward';

const variables = () =>
  tf.tidy(() => [
    tf.variable(tf.tensor2d([0.5, -1, 2, 0.25, 1, -0.5], [2, 3])),
    tf.variable(tf.tensor1d([1, -2, 0.5])),
    tf.variable(tf.scalar(3)),
  ]);

type Loss = (matrix: tf.Variable, vector: tf.Variable, scalar: tf.Variable) => tf.Scalar;

const losses: Record<string, Loss> = {
  'an addition of one tensor to itself': (matrix) => tf.sum(tf.add(matrix, matrix)),
  'a tensor of many uses': (matrix, vector) => {
    const x = tf.tanh(tf.mul(matrix, vector));
    return tf.sum(tf.add(tf.mul(x, x), tf.sub(x, tf.square(x))));
  },
  'reshapes and clones': (matrix, vector) =>
    tf.sum(tf.mul(tf.reshape(tf.clone(matrix), [6]), tf.concat([vector, tf.clone(vector)]))),
  'branches that lead nowhere': (matrix, vector) => {
    tf.exp(tf.mul(matrix, vector));
    return tf.sum(tf.square(vector));
  },
  'outputs of which one is used': (matrix, _vector, scalar) => {
    const [first] = tf.split(tf.mul(matrix, scalar), [1, 2], 1);
    return tf.sum(tf.square(first));
  },
  'a product of matrices': (matrix) => tf.sum(tf.matMul(matrix, tf.square(matrix), false, true)),
};

describeBackends('lossAndGradients', (backend) => {
  it.each(Object.entries(losses))('gives the gradients of tfjs: %s', async (_what, loss) => {
    const xs = variables();
    const [matrix, vector, scalar] = xs;
    const run = () => loss(matrix, vector, scalar);
    const expected = tf.engine().gradients(() => tf.tidy(run), xs, undefined, true);
    await expectNoLeak(async () => {
      const { value, gradients } = lossAndGradients(run, xs);
      expect(await value.data()).toEqual(await expected.value.data());
      for (const [i, gradient] of gradients.entries()) {
        const wanted: tf.Tensor | null | undefined = expected.grads[i];
        expect(gradient === undefined).toBe(!wanted);
        if (gradient && wanted) await assertTensorsClose(gradient, wanted, { tolerance: 0 });
      }
      tf.dispose([value, ...gradients.filter((gradient) => gradient !== undefined)]);
    });
    tf.dispose([xs, expected.value, expected.grads.filter(Boolean)]);
  });

  it('frees what was saved, and the gradients between, as it goes', () => {
    const x = tf.tidy(() => tf.variable(tf.ones([100])));
    const counts: number[] = [];
    const watched = tf.customGrad((tensor, save) => {
      (save as tf.GradSaveFunc)([tensor as tf.Tensor]);
      const gradFunc = (dy: tf.Tensor) => {
        counts.push(tf.memory().numTensors);
        return tf.clone(dy);
      };
      return { value: tf.mul(tensor as tf.Tensor, 2), gradFunc };
    });
    const { value, gradients } = lossAndGradients(() => {
      let y: tf.Tensor = x;
      for (let i = 0; i < 10; i++) y = watched(tf.tanh(y));
      return tf.sum(y);
    }, [x]);
    // Ten tanh and ten of these have saved one tensor each; the first of them to run backward is the last of them.
    for (let i = 1; i < 10; i++) expect(counts[i - 1] - counts[i]).toBe(2);
    tf.dispose([x, value, gradients as tf.Tensor[]]);
  });

  it('frees all when the loss or a gradient throws', async () => {
    const x = tf.tidy(() => tf.variable(tf.ones([3])));
    const fail = (): never => {
      throw new Error('on purpose');
    };
    const failing = tf.customGrad((tensor) => ({ value: tf.mul(tensor as tf.Tensor, 2), gradFunc: fail }));
    await expectNoLeak(() => {
      expect(() => lossAndGradients(() => fail() ?? tf.sum(tf.square(x)), [x])).toThrow('on purpose');
      const forward = () => {
        tf.square(x);
        return fail();
      };
      expect(() => lossAndGradients(forward, [x])).toThrow('on purpose');
      expect(() => lossAndGradients(() => tf.sum(failing(tf.square(x))), [x])).toThrow('on purpose');
    });
    // The engine is as it was.
    const gradient = tf.tidy(() => tf.grad((y: tf.Tensor) => tf.sum(tf.square(y)))(x));
    await assertTensorsClose(gradient, { shape: [3], data: [2, 2, 2] }, { tolerance: 0 });
    tf.dispose([x, gradient]);
    expect(tf.getBackend()).toBe(backend);
  });
});
