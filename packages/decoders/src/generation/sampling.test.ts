import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { sampleTokens, tokenChooser } from './sampling';

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
});

/** Probabilities .1, .4, .05, .3, .15 */
const probabilities = [0.1, 0.4, 0.05, 0.3, 0.15];
const STEPS = 400;

/** How often each token comes out when the draws are spread evenly. */
async function frequencies(
  options: Omit<Parameters<typeof sampleTokens>[2], 'temperature'> & { temperature?: number },
) {
  const logits = tf.tensor2d(Array.from({ length: STEPS }, () => probabilities.map((p) => Math.log(p) + 3)));
  const draws = Float32Array.from({ length: STEPS }, (_, i) => (i + 0.5) / STEPS);
  const ids = sampleTokens(logits, draws, { temperature: 1, ...options });
  expect(ids.dtype).toBe('int32');
  const counts = new Array(probabilities.length).fill(0);
  for (const id of await ids.data()) counts[id]++;
  tf.dispose([logits, ids]);
  return counts.map((count) => count / STEPS);
}

const expectClose = (actual: number[], expected: number[]) =>
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(2 / STEPS);
  });

describe('sampleTokens', () => {
  it('draws from the whole distribution', async () => {
    await expectNoLeak(async () => expectClose(await frequencies({}), probabilities));
  });

  it('sharpens with the temperature', async () => {
    const squares = probabilities.map((p) => p * p);
    const total = squares.reduce((sum, p) => sum + p);
    expectClose(
      await frequencies({ temperature: 0.5 }),
      squares.map((p) => p / total),
    );
  });

  it('keeps the k likeliest', async () => {
    expectClose(await frequencies({ topK: 2 }), [0, 4 / 7, 0, 3 / 7, 0]);
    expectClose(await frequencies({ topK: 99 }), probabilities);
  });

  it('keeps the fewest likeliest that reach p, of those that k leaves', async () => {
    expectClose(await frequencies({ topP: 0.6 }), [0, 4 / 7, 0, 3 / 7, 0]);
    expectClose(await frequencies({ topP: 0.8 }), [0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85]);
    expectClose(await frequencies({ topP: 0.01 }), [0, 1, 0, 0, 0]);
    expectClose(await frequencies({ topK: 2, topP: 0.5 }), [0, 1, 0, 0, 0]);
  });

  it('never picks the impossible, at either end of the draws', async () => {
    const logits = tf.tensor2d([
      [-1e4, 0, 0, -1e4],
      [-1e4, 0, 0, -1e4],
    ]);
    for (const options of [{}, { topP: 0.9 }, { topK: 3 }]) {
      const ids = sampleTokens(logits, Float32Array.of(0, 1), { temperature: 1, ...options });
      for (const id of await ids.data()) expect([1, 2]).toContain(id);
      ids.dispose();
    }
    logits.dispose();
  });
});

describe('tokenChooser', () => {
  it('gives a row the same tokens for the same seed, whatever the batch', async () => {
    const logits = tf.randomNormal<tf.Rank.R2>([3, 50], 0, 1, 'float32', 1);
    const first = tf.slice(logits, [0, 0], [1, 50]);
    const draw = async (rows: tf.Tensor2D, seed: number) => {
      const choose = tokenChooser(rows.shape[0], { temperature: 1, seed });
      const steps: number[][] = [];
      for (let i = 0; i < 8; i++) {
        const ids = choose(rows);
        steps.push([...(await ids.data())]);
        ids.dispose();
      }
      return steps;
    };
    const batch = await draw(logits, 5);
    expect(await draw(logits, 5)).toEqual(batch);
    expect(await draw(first, 5)).toEqual(batch.map(([id]) => [id]));
    expect(await draw(logits, 6)).not.toEqual(batch);
    tf.dispose([logits, first]);
  });

  it('is greedy at temperature zero', async () => {
    const logits = tf.tensor2d([
      [1, 3, 2],
      [5, 4, 4],
    ]);
    const ids = tokenChooser(2, { temperature: 0, seed: 0 })(logits);
    expect([...(await ids.data())]).toEqual([1, 0]);
    tf.dispose([logits, ids]);
  });
});
