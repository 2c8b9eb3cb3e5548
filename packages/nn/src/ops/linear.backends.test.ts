import { assertTensorsClose } from '@mmllm/conformance';
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
  activation?: Activation;
}

const cases: Case[] = [
  { leading: [5], inSize: 3, outSize: 7, bias: true },
  { leading: [2, 3], inSize: 5, outSize: 1, bias: false },
  { leading: [1], inSize: 1, outSize: 3, bias: true, activation: 'silu' },
  { leading: [2, 1, 3], inSize: 4, outSize: 5, bias: false, activation: 'silu' },
  { leading: [], inSize: 4, outSize: 3, bias: true, activation: 'silu' },
];

describeBackends('linear', () => {
  it.each(cases)(
    'is x · W + b with its gradients: %o',
    async ({ leading, inSize, outSize, bias, activation }) => {
      const numRows = leading.reduce((size, n) => size * n, 1);
      const pairs = await againstFloat64(
        (x, weight, b) => linear(x!, weight!, b as never, activation),
        (x, weight, b) => {
          const sums = product(x!, weight!, [numRows, inSize, outSize]).map(
            (y, i) => y + (b?.[i % outSize] ?? 0),
          );
          return { shape: [...leading, outSize], data: activation ? sums.map(silu) : sums };
        },
        [
          randomHost([...leading, inSize], 1),
          randomHost([inSize, outSize], 2),
          ...(bias ? [randomHost([outSize], 3)] : []),
        ],
      );
      for (const { actual, expected, name } of pairs) {
        await assertTensorsClose(actual, expected, { tolerance: 5e-6, name });
      }
    },
  );
});
