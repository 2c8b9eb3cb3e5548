import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import type { AttentionRule } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { attention } from './attention';
import { againstFloat64, type Host64, randomHost, read, softmax64, upload } from './testing/float64';

interface Case {
  what: string;
  /** B, T, S, d */
  sizes?: [number, number, number, number];
  heads?: [numHeads: number, numKeyValueHeads: number];
  scale?: number;
  rule: AttentionRule;
}

const int = (...values: number[]) => Int32Array.from(values);

const cases: Case[] = [
  { what: 'no mask', rule: { causal: false } },
  { what: 'causal', rule: { causal: true } },
  { what: 'one query, one key', sizes: [1, 1, 1, 3], heads: [1, 1], rule: { causal: true } },
  { what: 'grouped queries', heads: [4, 2], rule: { causal: true } },
  { what: 'one key head', sizes: [2, 3, 3, 1], heads: [3, 1], scale: 0.3, rule: { causal: true } },
  { what: 'a cache before the queries', sizes: [2, 2, 5, 2], rule: { causal: true } },
  { what: 'decoding', sizes: [2, 1, 4, 2], heads: [4, 2], rule: { causal: true, start: int(2, 0) } },
  { what: 'fewer keys than queries', sizes: [2, 4, 2, 2], rule: { causal: true } },
  { what: 'left padding, whole rows blank', rule: { causal: true, start: int(0, 2) } },
  { what: 'right padding, one sample empty', rule: { causal: false, end: int(3, 0) } },
  { what: 'prefix', rule: { causal: true, prefix: int(2, 0) } },
  { what: 'window', sizes: [1, 5, 5, 2], rule: { causal: true, window: 2 } },
  { what: 'prefix and window', sizes: [2, 5, 5, 2], rule: { causal: true, window: 2, prefix: int(1, 3) } },
  {
    what: 'blocks, one without keys',
    rule: { causal: false, queryBlocks: int(0, 0, 1, 2, 5, 5), keyBlocks: int(0, 1, 1, 3, 5, 6) },
  },
  {
    what: 'a bias for all',
    rule: { causal: true, bias: randomHost([1, 1, 3, 3], 8).data, biasShape: [1, 1, 3, 3] },
  },
  {
    what: 'a bias for each sample and head, with a blank row',
    rule: {
      causal: false,
      start: int(0, 1),
      bias: randomHost([2, 2, 3, 3], 8).data.map((x, i) => (i < 3 ? Number.NEGATIVE_INFINITY : x)),
      biasShape: [2, 2, 3, 3],
    },
  },
];

/** The definition, key by key. */
function sees(rule: AttentionRule, [, T, S]: readonly number[], b: number, t: number, s: number): boolean {
  const position = S! - T! + t;
  if (s < (rule.start?.[b] ?? 0) || s >= (rule.end?.[b] ?? S!)) return false;
  if (rule.queryBlocks && rule.queryBlocks[b * T! + t] !== rule.keyBlocks![b * S! + s]) return false;
  if (s < (rule.prefix?.[b] ?? 0)) return true;
  return !(rule.causal && s > position) && !(rule.window && s <= position - rule.window);
}

function reference(
  [q, k, v]: Float64Array[],
  sizes: readonly [number, number, number, number],
  [numHeads, numKeyValueHeads]: readonly [number, number],
  { rule, scale = 1 / Math.sqrt(sizes[3]) }: Case,
): Host64 {
  const [B, T, S, d] = sizes;
  const out = new Float64Array(B * T * numHeads * d);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < numHeads; h++) {
      const keyHead = Math.floor((h * numKeyValueHeads) / numHeads);
      const key = (s: number, x: number) => ((b * S + s) * numKeyValueHeads + keyHead) * d + x;
      for (let t = 0; t < T; t++) {
        const query = ((b * T + t) * numHeads + h) * d;
        const row = Array.from({ length: S }, (_, s) => {
          if (!sees(rule, sizes, b, t, s)) return Number.NEGATIVE_INFINITY;
          const [biasB, biasH] = rule.biasShape ?? [1, 1];
          const at = (((biasB === 1 ? 0 : b) * biasH + (biasH === 1 ? 0 : h)) * T + t) * S + s;
          let score = rule.bias?.[at] ?? 0;
          for (let x = 0; x < d; x++) score += scale * q![query + x]! * k![key(s, x)]!;
          return score;
        });
        if (row.every((score) => score === Number.NEGATIVE_INFINITY)) continue;
        for (const [s, weight] of softmax64(row).weights.entries()) {
          for (let x = 0; x < d; x++) out[query + x]! += weight * v![key(s, x)]!;
        }
      }
    }
  }
  return { shape: [B, T, numHeads * d], data: out };
}

describeBackends('attention', () => {
  it.each(cases)('with $what', async (testCase) => {
    const { sizes = [2, 3, 3, 2], heads = [2, 2], scale, rule } = testCase;
    const [B, T, S, d] = sizes;
    const [numHeads, numKeyValueHeads] = heads;
    const pairs = await againstFloat64(
      (q, k, v) =>
        attention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, rule, {
          numHeads,
          numKeyValueHeads,
          scale,
        }),
      (...inputs) => reference(inputs, sizes, heads, testCase),
      [
        randomHost([B, T, numHeads * d], 1, 2),
        randomHost([B, S, numKeyValueHeads * d], 2, 2),
        randomHost([B, S, numKeyValueHeads * d], 3, 2),
      ],
    );
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: 5e-6, name });
    }
  });

  it('holds for large scores', async () => {
    const large: Case = { what: 'large', rule: { causal: true }, scale: 30 };
    const sizes = [1, 4, 4, 3] as const;
    const pairs = await againstFloat64(
      (q, k, v) =>
        attention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, large.rule, {
          numHeads: 1,
          scale: 30,
        }),
      (...inputs) => reference(inputs, sizes, [1, 1], large),
      [randomHost([1, 4, 3], 1, 4), randomHost([1, 4, 3], 2, 4), randomHost([1, 4, 3], 3)],
      { wrt: [] },
    );
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: 1e-4, name });
    }
  });

  it('takes one tensor as queries, keys and values', async () => {
    const rule: AttentionRule = { causal: true };
    const sizes = [1, 3, 3, 2] as const;
    const pairs = await againstFloat64(
      (x) => attention(x as tf.Tensor3D, x as tf.Tensor3D, x as tf.Tensor3D, rule, { numHeads: 2 }),
      (x) => reference([x!, x!, x!], sizes, [2, 2], { what: 'self', rule }),
      [randomHost([1, 3, 4], 1)],
    );
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: 5e-6, name });
    }
  });

  it('computes the gradient of only some inputs and leaves nothing behind', async () => {
    const [q, k, v] = [1, 2, 3].map((seed) => upload(randomHost([1, 3, 4], seed)) as tf.Tensor3D);
    const attend = (x: tf.Tensor) => attention(x as tf.Tensor3D, k!, v!, { causal: true }, { numHeads: 2 });
    await expectNoLeak(async () => {
      const gradient = tf.grad(attend)(q!);
      expect((await read(gradient)).data.some((value) => value !== 0)).toBe(true);
      gradient.dispose();
    });
    tf.dispose([q!, k!, v!]);
  });
});
