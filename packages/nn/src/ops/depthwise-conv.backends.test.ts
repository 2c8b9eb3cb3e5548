import { assertTensorsClose, checkGradients, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { depthwiseConv } from './depthwise-conv';

const normal = <T extends tf.Tensor>(shape: number[], seed: number) =>
  tf.randomNormal(shape, 0, 1, 'float32', seed) as T;

describeBackends('depthwiseConv', () => {
  it.each([
    [1, 5, 4],
    [3, 5, 4],
    [3, 1, 1],
    [5, 3, 7],
  ])('with a kernel of %i on a grid of %i×%i is a sum of shifted copies', async (side, height, width) => {
    await expectNoLeak(async () => {
      const x = normal<tf.Tensor4D>([2, height, width, 6], 3);
      const weight = normal<tf.Tensor2D>([side * side, 6], 4);
      const margin: [number, number] = [(side - 1) / 2, (side - 1) / 2];
      const expected = tf.tidy(() => {
        const padded = tf.pad(x, [[0, 0], margin, margin, [0, 0]]);
        const taps = Array.from({ length: side * side }, (_, tap) => {
          const seen = tf.slice(padded, [0, Math.floor(tap / side), tap % side, 0], x.shape);
          return tf.mul(seen, tf.slice(weight, [tap, 0], [1, 6]));
        });
        // addN gives zeros on webgpu where there are too many.
        return taps.reduce((sum, tap) => tf.add(sum, tap));
      });
      const y = depthwiseConv(x, weight);
      await assertTensorsClose(y, expected, { tolerance: 1e-5 });
      tf.dispose([x, weight, expected, y]);
    });
  });

  it('has the right gradients', async () => {
    await expectNoLeak(async () => {
      const x = normal<tf.Tensor4D>([2, 3, 4, 3], 3);
      const weight = normal<tf.Tensor2D>([9, 3], 4);
      await checkGradients(depthwiseConv, [x, weight], { maxElements: 12 });
      tf.dispose([x, weight]);
    });
  });
});
