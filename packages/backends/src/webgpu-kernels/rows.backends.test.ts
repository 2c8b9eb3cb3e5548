import type * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crossEntropy, layerNorm, logSumExp, rmsNorm, sumOfSquares } from '../../../nn/src/ops';
import { columnSums } from '../../../nn/src/ops/column-sums';
import {
  describeOnWebgpu,
  expectSameAsCpu,
  type Host,
  onWebgpu,
  randomHost,
  withGradients,
  withValue,
} from './testing/on-webgpu';

const rows = fc.integer({ min: 1, max: 140 });
const width = fc.integer({ min: 2, max: 150 });
const values = [Number.NaN, Number.POSITIVE_INFINITY];
/** A row that takes two rounds of the largest workgroup. */
const WIDE = 700;

describeOnWebgpu('mmllm/LayerNorm and its gradients', () => {
  const op = (...[x, gain, bias]: tf.Tensor[]) => layerNorm(x!, gain, bias, 1e-5);
  const inputs = (shape: number[], bias: boolean): Host[] => [
    randomHost(shape, 1),
    randomHost([shape.at(-1)!], 2),
    ...(bias ? [randomHost([shape.at(-1)!], 3)] : []),
  ];

  it('are the references for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(rows, width, fc.boolean(), async (r, w, bias) => {
        await expectSameAsCpu(withGradients(op), inputs([r, 1, w], bias), 5e-5);
      }),
      { numRuns: 12 },
    );
    await expectSameAsCpu(withGradients(op), inputs([2, WIDE], true), 5e-5);
  });

  it.each(values)('pass %d on to its row', async (value) => {
    const [x, ...rest] = inputs([4, 6], true);
    await expectSameAsCpu(op, [withValue(x!, 8, value), ...rest], 1e-5);
  });

  it('take no rows', async () => {
    const [, ...gradients] = await onWebgpu(withGradients(op), inputs([0, 3], true));
    expect(gradients[1]).toEqual({ shape: [3], data: new Float32Array(3) });
  });

  it('give the same bits again', async () => {
    const first = await onWebgpu(withGradients(op), inputs([70, 33], true));
    expect(await onWebgpu(withGradients(op), inputs([70, 33], true))).toEqual(first);
  });

  it('take more rows than one dimension has workgroups', async () => {
    const host = randomHost([65_600, 2], 1);
    const normed = (...[x]: tf.Tensor[]) => layerNorm(x!, undefined, undefined, 1e-5);
    await expectSameAsCpu(normed, [host], 5e-5);
  });
});

describeOnWebgpu('mmllm/ColumnSums', () => {
  it('is the reference for any number of rows', async () => {
    for (const rows of [1, 64, 65, 4100]) {
      await expectSameAsCpu((...[x]) => columnSums(x!), [randomHost([rows, 5], 1)], 2e-5);
    }
  });
});

describeOnWebgpu('mmllm/RmsNorm and its gradients', () => {
  it('are the references for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(rows, width, fc.constantFrom(0 as const, 1 as const), async (r, w, offset) => {
        const op = (...[x, gain]: tf.Tensor[]) => rmsNorm(x!, gain!, 1e-5, { offset });
        await expectSameAsCpu(withGradients(op), [randomHost([r, w], 1), randomHost([w], 2)], 5e-5);
      }),
      { numRuns: 12 },
    );
  });

  it.each(values)('pass %d on to its row', async (value) => {
    const op = (...[x, gain]: tf.Tensor[]) => rmsNorm(x!, gain!, 1e-5);
    await expectSameAsCpu(op, [withValue(randomHost([4, 6], 1), 8, value), randomHost([6], 2)], 1e-5);
  });
});

describeOnWebgpu('mmllm/LogSumExp and its gradient', () => {
  const op = (...[x]: tf.Tensor[]) => logSumExp(x!);

  it('are the references for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(rows, width, fc.constantFrom(1, 100), async (r, w, scale) => {
        await expectSameAsCpu(withGradients(op), [randomHost([r, w], 1, scale)], 2e-5);
      }),
      { numRuns: 10 },
    );
  });

  it.each([...values, Number.NEGATIVE_INFINITY])('take %d', async (value) => {
    await expectSameAsCpu(op, [withValue(randomHost([3, 5], 1), 7, value)], 1e-6);
    const row = { shape: [2, 1], data: Float32Array.of(value, 2) };
    await expectSameAsCpu(op, [row], 1e-6);
  });
});

describeOnWebgpu('mmllm/CrossEntropy and its gradient', () => {
  const op =
    (targets: Int32Array) =>
    (...[logits]: tf.Tensor[]) =>
      crossEntropy(logits as tf.Tensor2D, targets);

  it('are the references for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(rows, width, fc.constantFrom(1, 50), async (r, w, scale) => {
        const targets = Int32Array.from({ length: r }, (_, i) => (i % 3 === 2 ? -100 : (7 * i) % w));
        await expectSameAsCpu(withGradients(op(targets)), [randomHost([r, w], 1, scale)], 2e-5);
      }),
      { numRuns: 10 },
    );
    await expectSameAsCpu(withGradients(op(Int32Array.of(650, 3))), [randomHost([2, WIDE], 1, 5)], 1e-5);
  });

  it('take no rows', async () => {
    const outputs = await onWebgpu(withGradients(op(new Int32Array(0))), [randomHost([0, 3], 1)]);
    expect(outputs).toEqual([{ shape: [], data: new Float32Array(1) }, randomHost([0, 3], 1)]);
  });

  it('look at no row that does not count', async () => {
    const logits = withValue(randomHost([3, 5], 1), 7, Number.NaN);
    await expectSameAsCpu(withGradients(op(Int32Array.of(1, -100, 3))), [logits], 1e-5);
    const none = await onWebgpu(withGradients(op(Int32Array.of(-100, -100, -100))), [logits]);
    expect(none.map(({ data }) => data.every((value) => value === 0))).toEqual([true, true]);
  });

  it('say NaN where a counted row has it', async () => {
    const logits = withValue(randomHost([3, 5], 1), 7, Number.NaN);
    const [loss] = await onWebgpu(op(Int32Array.of(1, 2, 3)), [logits]);
    expect(loss!.data[0]).toBeNaN();
  });
});

describeOnWebgpu('mmllm/SumOfSquares', () => {
  const op = (...[x]: tf.Tensor[]) => sumOfSquares(x!);

  it('is the reference for any size', async () => {
    for (const size of [0, 1, 65, 8192, 8193, 30_001]) {
      await expectSameAsCpu(op, [randomHost([size], 1)], 1e-5);
    }
  });

  it.each(values)('passes %d on', async (value) => {
    const [sum] = await onWebgpu(op, [withValue(randomHost([9000], 1), 8999, value)]);
    expect(sum!.data[0]).toBe(value);
  });
});
