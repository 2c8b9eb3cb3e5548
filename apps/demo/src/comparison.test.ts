import { startBackend } from '@mmllm/backends';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { compare, formatComparison } from './comparison';

it('trains the three methods on the same questions, and says what each takes', async () => {
  await startBackend({ backend: 'wasm' });
  const losses = new Map<string, number[]>();
  const before = tf.memory().numTensors;
  const rows = await compare({
    ...{ steps: 3, seed: 1, limit: 8 },
    onStep: (method, _, loss) => losses.set(method, [...(losses.get(method) ?? []), loss]),
  });
  expect(tf.memory().numTensors).toBe(before);
  expect(rows.map(({ imageTokens, inSequence }) => [imageTokens, inSequence])).toEqual([
    [80, 80],
    [80, 1],
    [80, 16],
  ]);
  // The same text, and what stands in it for the picture.
  const [unified, crossed, both] = rows.map(({ sequenceLength }) => sequenceLength);
  expect(unified! - crossed!).toBe(79);
  expect(both! - crossed!).toBe(15);
  for (const { stepMs, answers } of rows) {
    expect(stepMs).toBeGreaterThan(0);
    expect(answers.total).toBeGreaterThan(0);
  }
  expect([...losses.values()].map(({ length }) => length)).toEqual([3, 3, 3]);
  // Closed gates: before the first step, cross-attention answers as if it saw nothing; the others see.
  expect(new Set([...losses.values()].map(([first]) => first)).size).toBe(3);
  expect(formatComparison(rows)).toContain('hybrid');
});
