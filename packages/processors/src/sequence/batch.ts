import { type ProcessOptions, ShapeError, type TokenIds } from '@mmllm/core';

/** The ids of one sample. */
export interface Sequence {
  readonly ids: Int32Array;
  /** Where the ids that count in the loss begin; absent in a sample without an answer. */
  readonly answerStart?: number;
}

export interface SequenceBatch {
  readonly ids: TokenIds;
  readonly start: Int32Array;
  readonly end: Int32Array;
  readonly labels?: Int32Array;
}

const ignored = -100;

/**
 * Pads sequences to the longest: ids int32[B, T], and where each sequence lies in them. If any has an answer, labels
 * int32[B, T]: the id that follows each position, where that id is part of an answer, else −100.
 *
 * @throws ShapeError for no sequence at all, or an empty one.
 */
export function padSequences(
  sequences: readonly Sequence[],
  padId: number,
  padding: ProcessOptions['padding'],
): SequenceBatch {
  checkNotEmpty(sequences);
  const batch = sequences.length;
  const length = Math.max(...sequences.map(({ ids }) => ids.length));
  const data = new Int32Array(batch * length).fill(padId);
  const start = new Int32Array(batch);
  const end = new Int32Array(batch);
  const hasAnswers = sequences.some(({ answerStart }) => answerStart !== undefined);
  const labels = hasAnswers ? new Int32Array(batch * length).fill(ignored) : undefined;
  sequences.forEach(({ ids, answerStart = ids.length }, b) => {
    start[b] = padding === 'left' ? length - ids.length : 0;
    end[b] = start[b] + ids.length;
    const row = b * length + start[b];
    data.set(ids, row);
    // The id in front of the answer is the first that predicts one of its ids.
    const first = Math.max(1, answerStart);
    labels?.set(ids.subarray(first), row + first - 1);
  });
  return { ids: { data, shape: [batch, length] }, start, end, ...(labels && { labels }) };
}

function checkNotEmpty(sequences: readonly Sequence[]): void {
  const empty = sequences.findIndex(({ ids }) => ids.length === 0);
  if (sequences.length > 0 && empty < 0) return;
  throw new ShapeError({
    component: empty < 0 ? 'samples' : `samples[${empty}]`,
    expected: `at least one ${empty < 0 ? 'sample' : 'token'}`,
    actual: 'none',
  });
}
