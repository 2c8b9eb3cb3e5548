import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { generateRows, textInputs } from '../testing/inputs';
import { tinyLlama } from '../testing/tiny';

const rows = [
  [3, 1, 4, 1],
  [2, 6],
];

/** Equal seeds give equal weights on every backend. */
async function run() {
  const decoder = tinyLlama({ numLayers: 1, tieWordEmbeddings: true });
  const logits = tf.tidy(() => {
    const inputs = textInputs(decoder, rows);
    const cache = decoder.createCache(2);
    decoder.forward(inputs, { cache });
    cache.crop(3);
    const swapped = cache.select([1, 0]);
    const step = textInputs(decoder, [[7], [8]]);
    const rule = { causal: true, start: Int32Array.of(2, 0) };
    const { hidden } = decoder.forward({ ...step, rule }, { cache: swapped });
    cache.dispose();
    swapped.dispose();
    return decoder.logits(hidden);
  });
  const result = {
    logits: { shape: logits.shape, data: (await logits.data<'float32'>()).slice() },
    greedy: await generateRows(decoder, rows, { maxNewTokens: 3 }),
    beams: await generateRows(decoder, rows, { maxNewTokens: 3, numBeams: 2, stopIds: [9] }),
    changed: await generateRows(decoder, rows, {
      maxNewTokens: 3,
      repetitionPenalty: 1.5,
      presencePenalty: 0.5,
      guidance: { scale: 2, negative: { ids: { data: Int32Array.of(5, 6), shape: [2, 1] } } },
    }),
    scores: await decoder.score({ ids: { data: Int32Array.of(3, 1), shape: [1, 2] } }, [[4], [1, 5]]),
    sampled: await generateRows(decoder, rows, {
      maxNewTokens: 3,
      temperature: 1,
      topK: 20,
      topP: 0.9,
      minP: 0.02,
    }),
  };
  logits.dispose();
  decoder.dispose();
  return result;
}

let expected: Awaited<ReturnType<typeof run>>;

beforeAll(async () => {
  await startBackend({ backend: 'cpu' });
  expected = await run();
});

describeBackends('llama', () => {
  // A software GPU takes its time over a token.
  it('decodes, generates and samples as on the cpu', { timeout: 300_000 }, async () => {
    await expectNoLeak(async () => {
      const actual = await run();
      await assertTensorsClose(actual.logits, expected.logits, { tolerance: 1e-4 });
      expect(actual.greedy).toEqual(expected.greedy);
      expect(actual.beams).toEqual(expected.beams);
      expect(actual.changed).toEqual(expected.changed);
      const scores = { shape: [2], data: expected.scores };
      await assertTensorsClose({ shape: [2], data: actual.scores }, scores, { tolerance: 1e-4 });
      expect(actual.sampled).toEqual(expected.sampled);
    });
  });
});
