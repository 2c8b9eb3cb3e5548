import type { HeldType, Work } from './engine.ts';
import { type Answer, unpackValues } from './protocol.ts';

/** What a run should give. */
export interface Expected {
  readonly values?: ArrayLike<number>;
  readonly tokens?: ArrayLike<number>;
}

/**
 * How far logits may be off with weights of each type, as a part of the largest: a third above what the rounding of
 * SmolLM2-135M's weights gives (0.0038, 0.018 and 0.196). Only full precision must give the same tokens too.
 */
const LOGIT_TOLERANCE: Record<HeldType, number> = { float32: 1e-4, bfloat16: 0.005, q8: 0.025, q4: 0.26 };

/** The same for embeddings, losses and products. */
const TOLERANCE = 1e-4;

/**
 * The largest deviation, as a part of the largest expected value; infinite where numbers are missing or not finite.
 */
export function deviation(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs(actual[i] - expected[i]);
    if (!(off <= worst)) worst = Number.isNaN(off) ? Number.POSITIVE_INFINITY : off;
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return worst === 0 ? 0 : worst / largest;
}

/**
 * Compares all runs of one engine, the first included, with what they should have given.
 * @throws Error that says what differs and how much.
 */
export function checkOutputs(work: Work, answers: readonly Answer[], expected: Expected): void {
  const held = work.kind === 'decode' ? work.held : undefined;
  const tolerance = held ? LOGIT_TOLERANCE[held] : TOLERANCE;
  // Each step of a training has a loss of its own; PyTorch's are known for the first few.
  if (work.kind === 'train') {
    const losses = answers.flatMap((answer) => [...(unpackValues(answer) ?? [])]);
    const count = Math.min(losses.length, expected.values?.length ?? 0);
    checkValues(losses.slice(0, count), Array.from(expected.values ?? []).slice(0, count), tolerance);
    return;
  }
  for (const answer of answers) {
    const values = unpackValues(answer);
    // transformers.js hands out tokens only.
    if (expected.values && (values || !answer.tokens)) checkValues(values ?? [], expected.values, tolerance);
    if (expected.tokens) checkTokens(answer.tokens ?? [], expected.tokens, held === 'float32');
  }
}

function checkValues(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  const off = deviation(actual, expected);
  if (off <= tolerance) return;
  const numbers =
    actual.length === expected.length ? '' : `, ${actual.length} numbers for ${expected.length}`;
  throw new Error(`output off by ${off.toExponential(1)} of the largest value${numbers}`);
}

function checkTokens(actual: ArrayLike<number>, expected: ArrayLike<number>, exactly: boolean): void {
  if (actual.length !== expected.length) {
    throw new Error(`${actual.length} tokens instead of ${expected.length}`);
  }
  const first = Array.from(expected).findIndex((token, i) => token !== actual[i]);
  if (exactly && first >= 0) throw new Error(`token ${first} is ${actual[first]}, not ${expected[first]}`);
}
