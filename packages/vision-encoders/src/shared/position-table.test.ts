import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, checkGradients, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { bicubicMatrix, interpolatePositions } from './position-table';

beforeAll(() => startBackend({ backend: 'cpu' }));

describe('bicubicMatrix', () => {
  it('is the identity for an equal size', async () => {
    const [matrix, identity] = [bicubicMatrix(5, 5), tf.eye(5)];
    await assertTensorsClose(matrix, identity, { tolerance: 0 });
    tf.dispose([matrix, identity]);
  });

  it('has Keys’ weights for twice the size, borders repeated', async () => {
    const matrix = bicubicMatrix(4, 8);
    // A quarter between two samples, a = −0.75: −0.10546875, 0.87890625, 0.26171875, −0.03515625.
    const [far, near, next, last] = [-0.10546875, 0.87890625, 0.26171875, -0.03515625];
    const rows = tf.slice2d(matrix, [0, 0], [4, 4]);
    const data = [
      [last + next + near, far, 0, 0],
      [far + near, next, last, 0],
      [last + next, near, far, 0],
      [far, near, next, last],
    ].flat();
    // Row 0 lies before the first sample: its nearest one is repeated on the left.
    await assertTensorsClose(rows, { shape: [4, 4], data }, { tolerance: 1e-6 });
    tf.dispose([matrix, rows]);
  });

  it('adds up to one for any sizes', async () => {
    for (const [from, to] of [
      [3, 7],
      [7, 3],
      [1, 4],
      [24, 37],
    ]) {
      const matrix = bicubicMatrix(from, to);
      const [sums, ones] = [tf.sum(matrix, 1), tf.ones([to])];
      await assertTensorsClose(sums, ones, { tolerance: 1e-6 });
      tf.dispose([matrix, sums, ones]);
    }
  });
});

describe('interpolatePositions', () => {
  const from = { rows: 2, columns: 3 };
  const to = { rows: 3, columns: 5 };

  it('interpolates rows and columns apart, and keeps the prefix', async () => {
    await expectNoLeak(async () => {
      const table = tf.randomNormal<tf.Rank.R2>([7, 2], 0, 1, 'float32', 1);
      const resized = interpolatePositions(table, from, to, 1);
      expect(resized.shape).toEqual([16, 2]);
      const expected = tf.tidy(() => {
        const [tall, wide] = [bicubicMatrix(2, 3).arraySync(), bicubicMatrix(3, 5).arraySync()];
        const values = table.arraySync();
        const grid = tall.flatMap((r) =>
          wide.map((c) =>
            [0, 1].map((d) =>
              r.reduce(
                (sum, a, i) => sum + c.reduce((s, b, j) => s + a * b * values[1 + i * 3 + j][d], 0),
                0,
              ),
            ),
          ),
        );
        return tf.tensor2d([values[0], ...grid]);
      });
      await assertTensorsClose(resized, expected, { tolerance: 1e-6 });
      tf.dispose([table, resized, expected]);
    });
  });

  it('has a gradient', async () => {
    const table = tf.randomNormal<tf.Rank.R2>([7, 2], 0, 1, 'float32', 1);
    await checkGradients((x: tf.Tensor2D) => interpolatePositions(x, from, to, 1), [table]);
    table.dispose();
  });
});
