import type * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { groupedMatmul } from '../../../nn/src/ops';
import {
  expectSameAsCpu,
  type Host,
  outputsOn,
  randomHost,
  startBoth,
  withGradients,
  withValue,
} from './testing/against-cpu';

beforeAll(startBoth);

const op =
  (sizes: readonly number[]) =>
  (...[x, weights]: tf.Tensor[]) =>
    groupedMatmul(x as tf.Tensor2D, weights as tf.Tensor3D, Int32Array.from(sizes));

const inputs = (sizes: readonly number[], k: number, m: number): [Host, Host] => [
  randomHost([sizes.reduce((sum, size) => sum + size, 0), k], 1),
  randomHost([sizes.length, k, m], 2),
];

describe('mmllm/GroupedMatMul and mmllm/GroupedMatMulGrad on wasm', () => {
  it('are the references at any size, with empty groups', async () => {
    const sizes = fc
      .array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 6 })
      .filter((all) => all.some((size) => size > 0));
    const width = fc.integer({ min: 1, max: 40 });
    await fc.assert(
      fc.asyncProperty(sizes, width, width, async (groups, k, m) => {
        await expectSameAsCpu(withGradients(op(groups)), inputs(groups, k, m), 1e-5);
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    { groups: [0, 0], k: 3, m: 5 },
    { groups: [2, 3], k: 0, m: 5 },
    { groups: [2, 3], k: 5, m: 0 },
  ])('take empty sides: %o', async ({ groups, k, m }) => {
    const outputs = await outputsOn('wasm', withGradients(op(groups)), inputs(groups, k, m));
    for (const { data } of outputs) expect(data.every((value) => value === 0)).toBe(true);
  });

  it('keep NaN within its group', async () => {
    const [x, weights] = inputs([3, 4, 2], 7, 9);
    const [out, dx, dWeights] = await outputsOn('wasm', withGradients(op([3, 4, 2])), [
      withValue(x, 7 * 4 + 2, Number.NaN),
      weights,
    ]);
    const bad = ({ data }: Host) => [...data.keys()].filter((i) => Number.isNaN(data[i]));
    expect(bad(out!)).toEqual(Array.from({ length: 9 }, (_, i) => 9 * 4 + i));
    expect(bad(dx!)).toEqual([]);
    expect(bad(dWeights!)).toEqual(Array.from({ length: 9 }, (_, i) => 63 + 2 * 9 + i));
  });
});
