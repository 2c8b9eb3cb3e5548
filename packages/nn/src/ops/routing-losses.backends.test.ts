import { assertTensorsClose, checkGradients, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { routingLosses } from './routing-losses';

const LOGITS = [
  [1, 0, -1],
  [0, 2, 0.5],
  [3, 1, 2],
  [9, 9, 9],
];

/** The same in double precision, for the first three rows. */
function expected() {
  const rows = LOGITS.slice(0, 3);
  const sums = rows.map((row) => row.reduce((sum, x) => sum + Math.exp(x), 0));
  const z = sums.reduce((total, sum) => total + Math.log(sum) ** 2, 0) / 3;
  const share = [2 / 3, 1 / 3, 0];
  const balance = [0, 1, 2].reduce((total, e) => {
    const mean = rows.reduce((sum, row, i) => sum + Math.exp(row[e]!) / sums[i]!, 0) / 3;
    return total + 3 * share[e]! * mean;
  }, 0);
  return { balance, z };
}

describeBackends('routingLosses', () => {
  const rows = Int32Array.of(0, 1, 2);

  it('are those of the papers, over the rows that count', async () => {
    const logits = tf.tensor2d(LOGITS);
    await expectNoLeak(async () => {
      const { balance, z } = routingLosses(logits, rows);
      const wanted = expected();
      await assertTensorsClose(balance, { shape: [], data: [wanted.balance] }, { tolerance: 1e-5 });
      await assertTensorsClose(z, { shape: [], data: [wanted.z] }, { tolerance: 1e-5 });
      tf.dispose([balance, z]);
    });
    logits.dispose();
  });

  it('are 1 and (log E)² for experts that are used evenly', async () => {
    const logits = tf.zeros<tf.Rank.R2>([5, 4]);
    const { z } = routingLosses(logits);
    expect((await z.data())[0]).toBeCloseTo(Math.log(4) ** 2, 5);
    const even = tf.tensor2d([
      [1, 0],
      [0, 1],
    ]);
    const { balance } = routingLosses(even);
    expect((await balance.data())[0]).toBeCloseTo(1, 5);
    tf.disposeVariables();
    tf.dispose([logits, even, balance, z]);
  });

  it('have their gradients', async () => {
    const logits = tf.tensor2d(LOGITS);
    await checkGradients((x: tf.Tensor2D) => routingLosses(x, rows).balance, [logits], { tolerance: 5e-3 });
    await checkGradients((x: tf.Tensor2D) => routingLosses(x, rows).z, [logits], { tolerance: 5e-3 });
    logits.dispose();
  });
});
