import { assertTensorsClose } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { crossEntropy } from './cross-entropy';
import { logSumExp } from './log-sum-exp';
import { sigmoidPairLoss } from './sigmoid-pair-loss';
import { softCrossEntropy } from './soft-cross-entropy';
import { againstFloat64, type Host, randomHost, softmax64, upload } from './testing/float64';

const rowsOf = (x: Float64Array, width: number) =>
  Array.from({ length: x.length / width }, (_, r) => [...x.subarray(r * width, (r + 1) * width)]);

const total = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0);

async function expectClose(pairs: Awaited<ReturnType<typeof againstFloat64>>, tolerance = 2e-6) {
  for (const { actual, expected, name } of pairs)
    await assertTensorsClose(actual, expected, { tolerance, name });
}

describeBackends('crossEntropy', () => {
  it.each([
    { what: 'every row counted', width: 5, targets: [4, 0, 2], scale: 3 },
    { what: 'rows ignored', width: 3, targets: [-100, 2, -100, 1], scale: 3 },
    { what: 'one row and one class', width: 1, targets: [0], scale: 3 },
    { what: 'large logits', width: 4, targets: [1, 3], scale: 300 },
    { what: 'every row ignored', width: 3, targets: [-100, -100], scale: 3 },
  ])('has the mean and its gradient: $what', async ({ width, targets, scale }) => {
    const counted = targets.filter((target) => target >= 0).length;
    const pairs = await againstFloat64(
      (logits) => crossEntropy(logits as tf.Tensor2D, Int32Array.from(targets)),
      (logits) => {
        const losses = rowsOf(logits!, width).map((row, r) =>
          targets[r]! < 0 ? 0 : softmax64(row).logSumExp - row[targets[r]!]!,
        );
        return { shape: [], data: [total(losses) / Math.max(1, counted)] };
      },
      [randomHost([targets.length, width], 1, scale)],
    );
    await expectClose(pairs);
  });

  it('takes another ignored target', async () => {
    const pairs = await againstFloat64(
      (logits) => crossEntropy(logits as tf.Tensor2D, Int32Array.of(0, 1), { ignoreIndex: 0 }),
      (logits) => {
        const row = rowsOf(logits!, 3)[1]!;
        return { shape: [], data: [softmax64(row).logSumExp - row[1]!] };
      },
      [randomHost([2, 3], 1)],
    );
    await expectClose(pairs);
  });
});

describeBackends('softCrossEntropy', () => {
  it.each([
    { what: 'several answers', width: 3, rows: [0.5, 0.5, 0, 0, 1, 0, 0.2, 0.3, 0.5] },
    { what: 'one row', width: 2, rows: [0.25, 0.75] },
    { what: 'rows that do not add up to one', width: 2, rows: [0.5, 0.1, 1, 2] },
  ])('has the mean and its gradients: $what', async ({ width, rows }) => {
    const shape = [rows.length / width, width];
    const pairs = await againstFloat64(
      (logits, probabilities) => softCrossEntropy(logits as tf.Tensor2D, probabilities as tf.Tensor2D),
      (logits, probabilities) => {
        const losses = rowsOf(logits!, width).map((row, r) => {
          const { logSumExp: norm } = softmax64(row);
          return total(row.map((x, i) => probabilities![r * width + i]! * (norm - x)));
        });
        return { shape: [], data: [total(losses) / shape[0]!] };
      },
      [randomHost(shape, 1, 4), { shape, data: Float32Array.from(rows) }],
    );
    await expectClose(pairs);
  });
});

describeBackends('sigmoidPairLoss', () => {
  it.each([
    { what: 'small logits', logits: [2, -1, 0.5, 0, -3, 1], labels: [1, -1, -1, 1, -1, -1], shape: [2, 3] },
    { what: 'large logits', logits: [80, -80, 80, -90], labels: [1, 1, -1, -1], shape: [2, 2] },
    { what: 'one pair', logits: [-0.3], labels: [1], shape: [1, 1] },
  ])('is stable, with its gradients: $what', async ({ logits, labels, shape }) => {
    const pairs = await againstFloat64(
      (x, y) => sigmoidPairLoss(x as tf.Tensor2D, y as tf.Tensor2D),
      (x, y) => {
        const losses = [...x!].map((logit, i) => {
          const z = -logit * y![i]!;
          return Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
        });
        return { shape: [], data: [total(losses) / shape[0]!] };
      },
      [
        { shape, data: Float32Array.from(logits) },
        { shape, data: Float32Array.from(labels) },
      ],
    );
    await expectClose(pairs);
  });
});

describeBackends('logSumExp', () => {
  it.each([{ shape: [3, 5] }, { shape: [2, 1, 3] }, { shape: [1] }])(
    'is right over the last axis, with its gradient: %o',
    async ({ shape }) => {
      const pairs = await againstFloat64(
        (x) => logSumExp(x!),
        (x) => ({
          shape: shape.slice(0, -1),
          data: rowsOf(x!, shape.at(-1)!).map((row) => softmax64(row).logSumExp),
        }),
        [randomHost(shape, 1, 20)],
      );
      await expectClose(pairs);
    },
  );

  it('gives -Infinity and no gradient for a row of -Infinity', async () => {
    const low = Number.NEGATIVE_INFINITY;
    const x = upload({ shape: [2, 2], data: Float32Array.of(low, low, low, 1) } satisfies Host);
    const out = logSumExp(x);
    await assertTensorsClose(out, { shape: [2], data: [low, 1] }, { tolerance: 1e-6 });
    const gradient = tf.grad((input: tf.Tensor) => logSumExp(input))(x);
    await assertTensorsClose(gradient, { shape: [2, 2], data: [0, 0, 0, 1] }, { tolerance: 1e-6 });
    tf.dispose([x, out, gradient]);
  });
});
