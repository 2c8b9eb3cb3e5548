import { assertTensorsClose } from '@mmllm/conformance';
import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { conv2d } from './conv2d';
import { againstFloat64, type Host64, randomHost } from './testing/float64';

interface Sizes {
  side: number;
  stride: number;
  height: number;
  width: number;
}

const [BATCH, INPUTS, OUTPUTS] = [2, 3, 4];

/** The definition, with the extra zeros of an odd number of them behind. */
const convolved =
  ({ side, stride, height, width }: Sizes) =>
  (x: Float64Array, weight: Float64Array, bias: Float64Array): Host64 => {
    const shape = [BATCH, Math.ceil(height / stride), Math.ceil(width / stride), OUTPUTS] as const;
    const margin = (size: number) =>
      Math.floor(Math.max(0, (Math.ceil(size / stride) - 1) * stride + side - size) / 2);
    const data = Array.from({ length: shape.reduce((a, b) => a * b) }, (_, at) => {
      const output = at % OUTPUTS;
      const column = Math.floor(at / OUTPUTS) % shape[2];
      const row = Math.floor(at / OUTPUTS / shape[2]) % shape[1];
      const picture = Math.floor(at / OUTPUTS / shape[2] / shape[1]);
      let sum = bias[output]!;
      for (let i = 0; i < side; i++) {
        for (let j = 0; j < side; j++) {
          const y = row * stride + i - margin(height);
          const z = column * stride + j - margin(width);
          if (y < 0 || y >= height || z < 0 || z >= width) continue;
          for (let c = 0; c < INPUTS; c++) {
            sum +=
              x[((picture * height + y) * width + z) * INPUTS + c]! *
              weight[((i * side + j) * INPUTS + c) * OUTPUTS + output]!;
          }
        }
      }
      return sum;
    });
    return { shape, data };
  };

describeBackends('conv2d', () => {
  it.each<Sizes>([
    { side: 3, stride: 1, height: 4, width: 5 },
    { side: 3, stride: 2, height: 4, width: 6 },
    { side: 3, stride: 2, height: 5, width: 3 },
    { side: 1, stride: 1, height: 2, width: 3 },
  ])('has the formula and gradients: %o', async (sizes) => {
    const pairs = await againstFloat64(
      (x, weight, bias) =>
        conv2d(x as tf.Tensor4D, weight as tf.Tensor2D, { stride: sizes.stride, bias: bias! }),
      convolved(sizes) as (...inputs: Float64Array[]) => Host64,
      [
        randomHost([BATCH, sizes.height, sizes.width, INPUTS], 1),
        randomHost([sizes.side ** 2 * INPUTS, OUTPUTS], 2),
        randomHost([OUTPUTS], 3),
      ],
    );
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: 1e-5, name });
    }
  });

  it('refuses sizes that do not fit', () => {
    tf.tidy(() => {
      const x = tf.zeros<tf.Rank.R4>([1, 2, 2, 3]);
      expect(() => conv2d(x, tf.zeros([8, 2]))).toThrow(ShapeError);
      expect(() => conv2d(x, tf.zeros([27, 2]), { bias: tf.zeros([3]) })).toThrow(ShapeError);
    });
  });
});
