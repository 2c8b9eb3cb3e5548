import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { type CacheOptions, ConfigError, type Decoder, type KeyValueCache } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it, vi } from 'vitest';
import { openParityCase } from '../../../cli/src/parity';
import { fixtureFiles } from '../../../cli/src/testing/case-files';
import { llama } from '../llama';
import { feed, greedy } from '../testing/histories';
import { generateRows, textInputs } from '../testing/inputs';
import { tinyLlama } from '../testing/tiny';

await startBackend({ backend: 'wasm' });

const PROMPT = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5];
const COUNT = 24;

async function generated(decoder: Decoder, options: CacheOptions) {
  const cache = decoder.createCache(1, options);
  const result = await greedy(decoder, cache, PROMPT, COUNT);
  cache.dispose();
  return result;
}

/** The largest difference, as a part of the largest logit. */
function difference(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  const flat = (rows: readonly Float32Array[]) => rows.flatMap((row) => [...row]);
  const [x, y] = [flat(a), flat(b)];
  return Math.max(...x.map((value, i) => Math.abs(value - y[i]))) / Math.max(...y.map(Math.abs));
}

/** A golden model of transformers, small and in the real layout. */
async function goldenModel(name: string): Promise<Decoder> {
  const golden = await openParityCase(fixtureFiles(name));
  const decoder = llama(llama.checkpoint.config(await golden.config()));
  await loadWeights(decoder, await golden.weights(), llama.checkpoint.names());
  await golden.close();
  return decoder;
}

it.each(['decoder-llama/base', 'decoder-llama3/base'])(
  'gives the tokens of float32, and logits within 2 %% of the largest: %s',
  async (name) => {
    const decoder = await goldenModel(name);
    await expectNoLeak(async () => {
      const exact = await generated(decoder, {});
      const coded = await generated(decoder, { type: 'q8' });
      expect(coded.tokens).toEqual(exact.tokens);
      const error = difference(coded.logits, exact.logits);
      expect(error).toBeLessThan(0.02);
      expect(error).toBeGreaterThan(0);
    });
    decoder.dispose();
  },
);

it('is what `generate` keeps on request', async () => {
  const decoder = await goldenModel('decoder-llama/base');
  const takenWith = vi.spyOn(decoder, 'createCache');
  const { tokens } = await generated(decoder, { type: 'q8' });
  const rows = await generateRows(decoder, [PROMPT], { maxNewTokens: COUNT, cacheType: 'q8' });
  expect(rows).toEqual([tokens]);
  expect(takenWith).toHaveBeenLastCalledWith(1, { capacity: PROMPT.length + COUNT - 1, type: 'q8' });
  await expect(generateRows(decoder, [PROMPT], { cacheType: 'q4' as 'q8' })).rejects.toThrow(ConfigError);
  decoder.dispose();
});

it('takes 0.28 of the memory of float32', () => {
  const decoder = tinyLlama({ hiddenSize: 64, numHeads: 2, numKeyValueHeads: 2 });
  const bytesOf = (options: CacheOptions) => {
    const before = tf.memory().numBytes;
    const cache = decoder.createCache(1, options);
    feed(decoder, cache, [PROMPT]).dispose();
    const bytes = tf.memory().numBytes - before;
    cache.dispose();
    expect(tf.memory().numBytes).toBe(before);
    return bytes;
  };
  expect(bytesOf({ type: 'q8' }) / bytesOf({})).toBe(0.28125);
  decoder.dispose();
});

it('stays as it was when a pass fails half-way, and tells its type', async () => {
  const decoder = tinyLlama();
  await expectNoLeak(async () => {
    const [cache, other] = [0, 1].map(() => decoder.createCache(1, { type: 'q8' })) as [
      KeyValueCache,
      KeyValueCache,
    ];
    expect([cache.type, decoder.createCache(1).type]).toEqual(['q8', 'float32']);
    for (const each of [cache, other]) feed(decoder, each, [PROMPT]).dispose();
    const inputs = textInputs(decoder, [[7]]);
    const failing = {
      layer: 1,
      place: 'after' as const,
      apply: () => {
        throw new Error('half-way');
      },
    };
    expect(() => decoder.forward({ ...inputs, injections: [failing] }, { cache })).toThrow('half-way');
    const [actual, expected] = [cache, other].map((each) => feed(decoder, each, [[8]]));
    await assertTensorsClose(actual, expected, { tolerance: 0 });
    tf.dispose([actual, expected, inputs.embeddings]);
    cache.dispose();
    other.dispose();
  });
  decoder.dispose();
});

it('refuses types and sizes that there are not', () => {
  const decoder = tinyLlama();
  for (const [batch, options] of [
    [1, { type: 'q4' }],
    [1, { capacity: 0 }],
    [1, { capacity: 2.5 }],
    [0, {}],
    [1, { size: 3 }],
  ] as const) {
    expect(() => decoder.createCache(batch, options as CacheOptions)).toThrow(ConfigError);
  }
  expect(() => decoder.createCache(1, { type: 'q4' as 'q8' })).toThrow("decoder 'llama'.createCache.type");
  decoder.dispose();
});
