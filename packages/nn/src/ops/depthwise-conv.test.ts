import { startBackend } from '@mmllm/backends';
import { assertTensorsClose } from '@mmllm/conformance';
import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { depthwiseConv } from './depthwise-conv';

beforeAll(() => startBackend({ backend: 'cpu' }));

describe('depthwiseConv', () => {
  it('sees the neighbours of each place, and zeros beyond the borders', async () => {
    const x = tf.tensor4d([1, 2, 3, 4, 5, 6], [1, 2, 3, 1]);
    // The place itself, its right neighbour times ten, the one below times a hundred.
    const weight = tf.tensor2d([0, 0, 0, 0, 1, 10, 0, 100, 0], [9, 1]);
    const y = depthwiseConv(x, weight);
    await assertTensorsClose(y, { shape: [1, 2, 3, 1], data: [421, 532, 603, 54, 65, 6] }, { tolerance: 0 });
    tf.dispose([x, weight, y]);
  });

  it.each<[string, [number, number, number, number], [number, number]]>([
    ['other channels', [1, 2, 2, 3], [9, 2]],
    ['an even kernel', [1, 2, 2, 2], [4, 2]],
    ['no square', [1, 2, 2, 2], [3, 2]],
  ])('refuses %s', (_, xShape, weightShape) => {
    const [x, weight] = [tf.zeros<tf.Rank.R4>(xShape), tf.zeros<tf.Rank.R2>(weightShape)];
    expect(() => depthwiseConv(x, weight)).toThrow(ShapeError);
    tf.dispose([x, weight]);
  });
});
