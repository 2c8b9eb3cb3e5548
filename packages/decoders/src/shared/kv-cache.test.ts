import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import {
  ContextLengthError,
  type DecoderInputs,
  type KeyValueCache,
  ShapeError,
  sequentialPositions,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, expect, it } from 'vitest';
import { leftPadded, textInputs } from '../testing/inputs';
import { tinyLlama } from '../testing/tiny';

await startBackend({ backend: 'wasm' });
const decoder = tinyLlama();
const rows = [
  [3, 1, 4, 1, 5, 9, 2, 6],
  [5, 3, 5, 8, 9],
];
const { ids, start } = leftPadded(rows);
const [batch, length] = ids.shape;
const positions = sequentialPositions(ids.shape, start);

afterAll(() => decoder.dispose());

/** Tokens `from` to `to` of all rows. */
function part(from: number, to: number): DecoderInputs {
  const cut = (data: Int32Array) =>
    Int32Array.from({ length: batch * (to - from) }, (_, i) => {
      const width = to - from;
      return data[Math.floor(i / width) * length + from + (i % width)];
    });
  const shape: [number, number] = [batch, to - from];
  return {
    embeddings: decoder.embed({ data: cut(ids.data), shape }),
    positions: { data: cut(positions.data), axes: 1, shape },
    rule: { causal: true, start },
  };
}

const run = (from: number, to: number, cache: KeyValueCache): tf.Tensor3D =>
  tf.tidy(() => decoder.forward(part(from, to), { cache }).hidden);

const whole = () =>
  tf.tidy(() => {
    const inputs = textInputs(decoder, rows);
    return decoder.forward(inputs).hidden;
  });

it('gives in parts what one pass gives, whatever the parts', async () => {
  await expectNoLeak(async () => {
    const expected = whole();
    for (const cuts of [[4], [1, 2, 3], [3, 5, 6, 7]]) {
      const cache = decoder.createCache(batch);
      const bounds = [0, ...cuts, length];
      const parts = bounds.slice(1).map((to, i) => run(bounds[i], to, cache));
      const joined = tf.concat(parts, 1);
      await assertTensorsClose(joined, expected, { tolerance: 1e-5 });
      expect(cache.length).toBe(length);
      tf.dispose([joined, ...parts]);
      cache.dispose();
    }
    expected.dispose();
  });
});

it('forgets what is cropped', async () => {
  await expectNoLeak(async () => {
    const cache = decoder.createCache(batch);
    const expected = tf.tidy(() => tf.slice(whole(), [0, 5, 0], [batch, 3, 16]));
    run(0, 5, cache).dispose();
    run(1, 4, cache).dispose();
    expect(cache.length).toBe(8);
    cache.crop(5);
    const actual = run(5, 8, cache);
    await assertTensorsClose(actual, expected, { tolerance: 1e-5 });
    cache.crop(0);
    expect(cache.length).toBe(0);
    expect(() => cache.crop(1)).toThrow(ShapeError);
    tf.dispose([actual, expected]);
    cache.dispose();
  });
});

it('selects rows into a cache of their own', async () => {
  await expectNoLeak(async () => {
    const cache = decoder.createCache(batch);
    run(0, 7, cache).dispose();
    const picked = cache.select([1, 1, 0]);
    expect([picked.batch, picked.length, picked.capacity]).toEqual([3, 7, 32]);
    cache.dispose();
    const last = [8, 7, 6].map((t, i) => [ids.data[[1, 1, 0][i] * length + 7], t]);
    const step: DecoderInputs = {
      embeddings: decoder.embed({ data: Int32Array.from(last, ([id]) => id), shape: [3, 1] }),
      positions: { data: Int32Array.of(4, 4, 7), axes: 1, shape: [3, 1] },
      rule: { causal: true, start: Int32Array.of(3, 3, 0) },
    };
    const { hidden } = decoder.forward(step, { cache: picked });
    const expected = tf.tidy(() => tf.gather(tf.slice(whole(), [0, 7, 0], [batch, 1, 16]), [1, 1, 0]));
    await assertTensorsClose(hidden, expected, { tolerance: 1e-5 });
    expect(() => cache.select([2])).toThrow(ShapeError);
    tf.dispose([hidden, expected, step.embeddings]);
    picked.dispose();
  });
});

it('refuses a foreign cache, another batch, padding on the right, and tokens beyond its capacity', async () => {
  const other = tinyLlama();
  const inputs = part(0, 4);
  const refuse = (cache: KeyValueCache, changed: Partial<DecoderInputs>, text: string) => {
    const before = tf.memory().numTensors;
    expect(() => decoder.forward({ ...inputs, ...changed }, { cache })).toThrow(text);
    expect(cache.length).toBe(0);
    expect(tf.memory().numTensors).toBe(before);
  };
  refuse(other.createCache(batch), {}, 'a cache of its own');
  refuse(decoder.createCache(3), {}, 'a cache for 2 sequences');
  refuse(
    decoder.createCache(batch),
    { rule: { causal: true, end: Int32Array.of(4, 3) } },
    'an end at 3 of 4 in sample 1',
  );
  refuse(decoder.createCache(batch, { capacity: 3 }), {}, 'at most 3 tokens in the cache');
  expect(() => decoder.forward(inputs, { cache: decoder.createCache(batch, { capacity: 3 }) })).toThrow(
    ContextLengthError,
  );
  expect(() => decoder.createCache(1, { capacity: 33 })).toThrow(ContextLengthError);
  inputs.embeddings.dispose();
  other.dispose();
});

it('stays as it was when a pass fails half-way', async () => {
  await expectNoLeak(async () => {
    const cache = decoder.createCache(batch);
    run(0, 5, cache).dispose();
    const inputs = part(5, 8);
    const failing = {
      layer: 1,
      place: 'before' as const,
      apply: () => {
        throw new Error('half-way');
      },
    };
    expect(() => decoder.forward({ ...inputs, injections: [failing] }, { cache })).toThrow('half-way');
    expect(cache.length).toBe(5);
    const { hidden } = decoder.forward(inputs, { cache });
    const expected = tf.tidy(() => tf.slice(whole(), [0, 5, 0], [batch, 3, 16]));
    await assertTensorsClose(hidden, expected, { tolerance: 1e-5 });
    tf.dispose([hidden, expected, inputs.embeddings]);
    cache.dispose();
  });
});

it('grows by blocks, never beyond its capacity, and then writes in place; or has all room at once', async () => {
  const long = tinyLlama({ maxLength: 200 });
  const row = Array.from({ length: 198 }, (_, i) => (i * 7) % 40);
  const ends = [40, 41, 90, 170, 190, 198];
  const { embeddings, rule } = textInputs(long, [row]);
  const { hidden: expected } = long.forward({ embeddings, positions: sequentialPositions([1, 198]), rule });
  const step = (from: number, to: number, cache: KeyValueCache) =>
    tf.tidy(() => {
      const part = tf.slice(embeddings, [0, from, 0], [1, to - from, 16]);
      const data = Int32Array.from({ length: to - from }, (_, i) => from + i);
      const positions = { data, axes: 1 as const, shape: [1, to - from] as [number, number] };
      return long.forward({ embeddings: part, positions, rule }, { cache }).hidden;
    });
  // Two layers, keys and values of two heads of four floats.
  const bytesOfRow = 2 * 2 * 2 * 4 * 4;
  for (const [options, rows] of [
    [{}, [64, 64, 128, 192, 192, 200]],
    [{ capacity: 200 }, [200, 200, 200, 200, 200, 200]],
    [{ capacity: 198 }, [198, 198, 198, 198, 198, 198]],
  ] as const) {
    await expectNoLeak(async () => {
      const before = tf.memory().numBytes;
      const cache = long.createCache(1, options);
      const states: tf.Tensor3D[] = [];
      const sizes = ends.map((to, i) => {
        states.push(step(ends[i - 1] ?? 0, to, cache));
        const ofStates = states.reduce((sum, { size }) => sum + 4 * size, 0);
        return (tf.memory().numBytes - before - ofStates) / bytesOfRow;
      });
      expect(sizes).toEqual(rows);
      const joined = tf.concat(states, 1);
      await assertTensorsClose(joined, expected, { tolerance: 1e-5 });
      tf.dispose([joined, ...states]);
      cache.dispose();
      expect(tf.memory().numBytes).toBe(before);
    });
  }
  tf.dispose([embeddings, expected]);
  long.dispose();
});
