import { assertTensorsClose } from '@mmllm/conformance';
import type * as tf from '@tensorflow/tfjs-core';
import { it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import type { Activation } from './activations';
import { linear } from './linear';
import { againstFloat64, product, randomHost } from './testing/float64';

const silu = (x: number) => x / (1 + Math.exp(-x));

interface Case {
  leading: number[];
  inSize: number;
  outSize: number;
  bias: boolean;
  residual?: boolean;
  activation?: Activation;
}

const cases: Case[] = [
  { leading: [5], inSize: 3, outSize: 7, bias: true },
  { leading: [2, 3], inSize: 5, outSize: 1, bias: false },
  { leading: [1], inSize: 1, outSize: 3, bias: true, activation: 'silu' },
  { leading: [2, 1, 3], inSize: 4, outSize: 5, bias: false, activation: 'silu' },
  { leading: [3, 2], inSize: 4, outSize: 5, bias: true, residual: true },
  { leading: [3], inSize: 2, outSize: 6, bias: false, activation: 'silu', residual: true },
  { leading: [], inSize: 4, outSize: 3, bias: true, activation: 'silu' },
];

describeBackends('linear', () => {
  it.each(cases)(
    'is x · W + b with its gradients: %o',
    async ({ leading, inSize, outSize, bias, activation, residual }) => {
      const optional = (all: readonly tf.Tensor[]) => ({
        ...(bias && { bias: all[2] }),
        ...(residual && { residual: all[bias ? 3 : 2] }),
      });
      const numRows = leading.reduce((size, n) => size * n, 1);
      const pairs = await againstFloat64(
        (...all) => linear(all[0]!, all[1]!, { activation, ...optional(all) }),
        (x, weight, ...rest) => {
          const b = bias ? rest[0] : undefined;
          const added = residual ? rest.at(-1) : undefined;
          const sums = product(x!, weight!, [numRows, inSize, outSize]).map(
            (y, i) => y + (b?.[i % outSize] ?? 0),
          );
          const activated = activation ? sums.map(silu) : sums;
          return {
            shape: [...leading, outSize],
            data: activated.map((y, i) => y + (added?.[i] ?? 0)),
          };
        },
        [
          randomHost([...leading, inSize], 1),
          randomHost([inSize, outSize], 2),
          ...(bias ? [randomHost([outSize], 3)] : []),
          ...(residual ? [randomHost([...leading, outSize], 4)] : []),
        ],
      );
      for (const { actual, expected, name } of pairs) {
        await assertTensorsClose(actual, expected, { tolerance: 5e-6, name });
      }
    },
  );
});
