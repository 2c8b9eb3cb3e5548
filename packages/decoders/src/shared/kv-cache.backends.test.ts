import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { CACHE_TYPES, type CacheType, type Decoder, type KeyValueCache } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { feed, lastLogits } from '../testing/histories';
import { tinyLlama } from '../testing/tiny';

/** The logits of three beams that have swapped places, with a cache that had to grow. */
function beamLogits(decoder: Decoder, type: CacheType): tf.Tensor2D {
  const prompt = decoder.createCache(1, { type });
  feed(decoder, prompt, [Array.from({ length: 63 }, (_, i) => (i * 7) % 40)]).dispose();
  feed(decoder, prompt, [[1, 2]]).dispose();
  prompt.crop(64);
  const beams = prompt.select([0, 0, 0]);
  prompt.dispose();
  feed(decoder, beams, [[5], [6], [7]]).dispose();
  beams.reorder([2, 0, 0]);
  const logits = tf.tidy(() => lastLogits(decoder, feed(decoder, beams, [[8], [9], [10]])));
  beams.dispose();
  return logits;
}

/** The same without a cache. */
function wholeLogits(decoder: Decoder): tf.Tensor2D {
  const prompt = [...Array.from({ length: 63 }, (_, i) => (i * 7) % 40), 1];
  const rows = [
    [...prompt, 7, 8],
    [...prompt, 5, 9],
    [...prompt, 5, 10],
  ];
  const cache = decoder.createCache(3);
  const logits = tf.tidy(() => lastLogits(decoder, feed(decoder, cache, rows)));
  cache.dispose();
  return logits;
}

describeBackends('a key-value cache', () => {
  it.each(CACHE_TYPES)('of type %s starts again when all is cropped', { timeout: 300_000 }, async (type) => {
    const decoder = tinyLlama({ maxLength: 100 });
    await expectNoLeak(async () => {
      const [used, fresh] = [0, 1].map(() => decoder.createCache(1, { type })) as [
        KeyValueCache,
        KeyValueCache,
      ];
      feed(decoder, used, [[1, 2, 3]]).dispose();
      used.crop(0);
      const caches = [used, used.select([0, 0]), fresh];
      const tokens = Array.from({ length: 70 }, (_, i) => (i * 7) % 40);
      const states = caches.map((cache) => feed(decoder, cache, new Array(cache.batch).fill(tokens)));
      const firstOf = tf.slice(states[1], [0, 0, 0], [1, 70, 16]);
      for (const state of [states[0], firstOf])
        await assertTensorsClose(state, states[2], { tolerance: 1e-5 });
      tf.dispose([...states, firstOf]);
      for (const cache of caches) cache.dispose();
    });
    decoder.dispose();
  });

  it.each([
    ['float32', 1e-4],
    ['q8', 0.02],
  ] as const)('of type %s serves beams', { timeout: 300_000 }, async (type, tolerance) => {
    // Logits are about 1.
    const decoder = tinyLlama({ maxLength: 100, initializerRange: 0.2 });
    await expectNoLeak(async () => {
      const [actual, expected] = [beamLogits(decoder, type), wholeLogits(decoder)];
      await assertTensorsClose(actual, expected, { tolerance });
      const most = tf.tidy(() => tf.max(tf.abs(tf.sub(expected, tf.reverse(expected, 0)))));
      // Other beams would be found out.
      expect((await most.data())[0]).toBeGreaterThan(5 * tolerance);
      tf.dispose([actual, expected, most]);
    });
    decoder.dispose();
  });
});
