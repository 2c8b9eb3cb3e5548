import type { Unit } from './rows.ts';

/** Middle and ends of several measurements. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws Error for no values. */
export function summarise(values: readonly number[]): Summary {
  if (values.length === 0) throw new Error('statistics: expected at least one value, got none');
  const sorted = [...values].sort((a, b) => a - b);
  const half = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(half)] + sorted[Math.ceil(half)]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}

/** How many times as good ours is: as fast, or as small. */
export const ratioOf = (ours: number, theirs: number, unit: Unit): number =>
  unit === 'tokens/s' ? ours / theirs : theirs / ours;

/** One side of a comparison, in its unit, round by round. */
export interface Comparison {
  readonly ours: Summary;
  readonly peer: Summary;
  /** Of the medians. */
  readonly ratio: number;
  /** Range of the ratios of single rounds, as a part of their median. */
  readonly spread: number;
}

/** @param ours,theirs as many values each; those of one round stand at one place. */
export function compare(ours: readonly number[], theirs: readonly number[], unit: Unit): Comparison {
  const [own, peer] = [summarise(ours), summarise(theirs)];
  const ratios = summarise(ours.map((value, round) => ratioOf(value, theirs[round], unit)));
  return {
    ours: own,
    peer,
    ratio: ratioOf(own.median, peer.median, unit),
    spread: (ratios.max - ratios.min) / ratios.median,
  };
}
