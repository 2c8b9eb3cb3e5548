import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { CACHE_TYPES, type KeyValueCache, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { feed, lastLogits } from '../testing/histories';
import { tinyLlama } from '../testing/tiny';

await startBackend({ backend: 'wasm' });
const decoder = tinyLlama({ maxLength: 200, initializerRange: 0.2 });
afterAll(() => decoder.dispose());

const PROMPT = [3, 1, 4, 1, 5, 9, 2, 6];
/** A value of q8 between two codes may become either, depending on what is computed beside it. */
const TOLERANCES = { float32: 1e-4, q8: 0.02 };

/** Tokens for n rows, other ones at every length. */
const tokensFor = (n: number, length: number) =>
  Array.from({ length: n }, (_, i) => [(length * 7 + i * 11) % 40]);

/** The next logits of a cache, which is disposed of, are those of one that got the whole rows at once. */
async function expectHolds(cache: KeyValueCache, rows: readonly (readonly number[])[]): Promise<void> {
  expect([cache.batch, cache.length]).toEqual([rows.length, rows[0].length]);
  const next = tokensFor(rows.length, cache.length);
  const whole = decoder.createCache(rows.length, { type: cache.type });
  const all = next.map((tokens, i) => [...rows[i], ...tokens]);
  const [actual, expected] = tf.tidy(() => [
    lastLogits(decoder, feed(decoder, cache, next)),
    lastLogits(decoder, feed(decoder, whole, all)),
  ]);
  await assertTensorsClose(actual, expected, { tolerance: TOLERANCES[cache.type] });
  tf.dispose([actual, expected]);
  for (const each of [cache, whole]) each.dispose();
}

/** A cache for one prompt that has become n rows with `behind` tokens of their own each. */
function beams(n: number, behind: number, type: KeyValueCache['type'] = 'float32') {
  const prompt = decoder.createCache(1, { type });
  feed(decoder, prompt, [PROMPT]).dispose();
  const cache = prompt.select(new Array(n).fill(0));
  prompt.dispose();
  const rows = Array.from({ length: n }, () => [...PROMPT]);
  for (let t = 0; t < behind; t++) append(cache, rows);
  return { cache, rows };
}

function append(cache: KeyValueCache, rows: number[][]): void {
  const next = tokensFor(rows.length, rows[0].length);
  feed(decoder, cache, next).dispose();
  next.forEach((tokens, i) => {
    rows[i].push(...tokens);
  });
}

describe.each(CACHE_TYPES)('a cache of type %s', (type) => {
  it('holds what its rows have become, whatever is appended, cropped, selected and reordered', async () => {
    const order = fc.array(fc.nat(3), { minLength: 4, maxLength: 4 });
    const step = fc.oneof(
      fc.constant('append' as const),
      fc.constant('crop' as const),
      fc.record({ reorder: order }),
      fc.record({ select: order }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 9 }), async (steps) => {
        await expectNoLeak(async () => {
          let { cache, rows } = beams(4, 1, type);
          for (const each of steps) {
            if (each === 'append') append(cache, rows);
            else if (each === 'crop') {
              cache.crop(rows[0].length - 1);
              rows = rows.map((row) => row.slice(0, -1));
            } else if ('reorder' in each) {
              cache.reorder(each.reorder);
              rows = each.reorder.map((row) => [...rows[row]]);
            } else {
              const selected = cache.select(each.select);
              cache.dispose();
              cache = selected;
              rows = each.select.map((row) => [...rows[row]]);
            }
            if (rows[0].length === 0) break;
          }
          await expectHolds(cache, rows);
        });
      }),
      { numRuns: 25 },
    );
  });
});

/** Elements of all tensors that kernels make meanwhile, by the names of the kernels. */
async function madeBy(run: () => void): Promise<Record<string, number>> {
  const made: Record<string, number> = {};
  const { kernels } = await tf.profile(run);
  for (const { name, outputShapes } of kernels) {
    made[name] =
      (made[name] ?? 0) + outputShapes.reduce((sum, shape) => sum + tf.util.sizeFromShape(shape), 0);
  }
  return made;
}

/** Two layers, keys and values of two heads of four floats. */
const ROW = 2 * 2 * 2 * 4;

it('copies nothing for rows that stay, and for others only what they do not share', async () => {
  const { cache, rows } = beams(4, 5);
  const bytes = tf.memory().numBytes;
  expect(await madeBy(() => cache.reorder([0, 1, 2, 3]))).toEqual({});
  // The prompt is the same in all rows.
  const first = await madeBy(() => cache.reorder([1, 1, 2, 0]));
  expect(first['mmllm/CacheRows']).toBe(4 * 5 * ROW);
  // Now rows 0 and 1 are equal, so that one of them can stand for the other.
  expect(await madeBy(() => cache.reorder([1, 0, 2, 3]))).toEqual({});
  expect(tf.memory().numBytes).toBe(bytes);
  const now = [1, 1, 2, 0].map((row) => [...rows[row]]);
  append(cache, now);
  const second = await madeBy(() => cache.reorder([1, 1, 2, 3]));
  expect(second['mmllm/CacheRows']).toBe(4 * ROW);
  await expectHolds(cache, [now[1], now[1], now[2], now[3]]);
});

it('refuses rows that it has not, before it changes', async () => {
  const { cache, rows } = beams(3, 1);
  for (const order of [[0, 1], [0, 1, 2, 0], [0, 1, 3], [0, -1, 2], [0, 0.5, 2], []]) {
    expect(() => cache.reorder(order)).toThrow(ShapeError);
  }
  for (const order of [[3], [-1], [0.5], []]) expect(() => cache.select(order)).toThrow(ShapeError);
  await expectHolds(cache, rows);
});

it('leaves nothing behind when a selection fails half-way', async () => {
  const { cache, rows } = beams(2, 1);
  const before = tf.memory().numTensors;
  const kernel = tf.getKernel('mmllm/CacheRows', 'wasm');
  let left = 3;
  tf.unregisterKernel('mmllm/CacheRows', 'wasm');
  tf.registerKernel({
    ...kernel,
    kernelFunc: (params) => {
      if (left-- === 0) throw new Error('no memory');
      return kernel.kernelFunc(params);
    },
  });
  try {
    expect(() => cache.select([0, 0, 1])).toThrow('no memory');
  } finally {
    tf.unregisterKernel('mmllm/CacheRows', 'wasm');
    tf.registerKernel(kernel);
  }
  expect(tf.memory().numTensors).toBe(before);
  await expectHolds(cache, rows);
});
