import { assertTensorsClose, checkGradients, expectNoLeak } from '@mmllm/conformance';
import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { adaptiveAveragePool } from './adaptive-average-pool';

describeBackends('adaptiveAveragePool', () => {
  it('takes the means of windows, which overlap where the cells do not divide the grid', async () => {
    await expectNoLeak(async () => {
      const values = Array.from({ length: 15 }, (_, i) => i);
      const x = tf.tensor3d([...values, ...values.map((value) => 2 * value)], [2, 15, 1]);
      const y = adaptiveAveragePool(x, { rows: 3, columns: 5 }, { rows: 2, columns: 2 });
      // Rows 0–1 and 1–2, columns 0–2 and 2–4.
      const means = [3.5, 5.5, 8.5, 10.5];
      const data = [...means, ...means.map((mean) => 2 * mean)];
      await assertTensorsClose(y, { shape: [2, 4, 1], data }, { tolerance: 1e-5 });
      tf.dispose([x, y]);
    });
  });

  it('repeats places where there are more cells', async () => {
    const x = tf.tensor3d([1, 2], [1, 2, 1]);
    const y = adaptiveAveragePool(x, { rows: 1, columns: 2 }, { rows: 2, columns: 3 });
    const row = [1, 1.5, 2];
    await assertTensorsClose(y, { shape: [1, 6, 1], data: [...row, ...row] }, { tolerance: 1e-6 });
    tf.dispose([x, y]);
  });

  it('has the right gradient', async () => {
    await expectNoLeak(async () => {
      const x = tf.randomNormal<tf.Rank.R3>([2, 12, 3], 0, 1, 'float32', 3);
      const pool = (input: tf.Tensor3D) =>
        adaptiveAveragePool(input, { rows: 3, columns: 4 }, { rows: 2, columns: 3 });
      await checkGradients(pool, [x], { maxElements: 12 });
      x.dispose();
    });
  });

  it('refuses another grid', () => {
    const x = tf.zeros<tf.Rank.R3>([1, 6, 2]);
    const one = { rows: 1, columns: 1 };
    expect(() => adaptiveAveragePool(x, { rows: 2, columns: 2 }, one)).toThrow(ShapeError);
    x.dispose();
  });
});
