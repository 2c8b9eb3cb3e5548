import type { FileTarget, NameRule } from './name-map';
import { findGapOfRanges } from './parts';

/** The shape of the part of our parameter of shape `ours` that one tensor gives. */
export function ourPartShape(ours: readonly number[], { ourRows, stacked }: NameRule): readonly number[] {
  if (stacked !== undefined) return ours.slice(1);
  return ourRows ? [ourRows[1] - ourRows[0], ...ours.slice(1)] : ours;
}

/** Where that part lies in the values of the parameter. @param index of the tensor among those that are stacked */
export function ourPartValues(
  values: Float32Array,
  ours: readonly number[],
  { ourRows, stacked }: NameRule,
  index: number,
): Float32Array {
  const width = values.length / (ours[0] ?? 1);
  if (stacked !== undefined) return values.subarray(index * width, (index + 1) * width);
  return ourRows ? values.subarray(ourRows[0] * width, ourRows[1] * width) : values;
}

/** What is wrong with how tensors make up a parameter; undefined if each of its rows comes from one. */
export function findGapOfOurs(
  path: string,
  shape: readonly number[],
  targets: readonly FileTarget[],
): string | undefined {
  const ranges = targets.flatMap(({ rule: { ourRows } }) => (ourRows ? [{ path, range: ourRows }] : []));
  if (ranges.length === 0) return undefined;
  if (targets.some(({ rule }) => rule.layout !== undefined)) return 'ourRows and a layout at once';
  return findGapOfRanges('row', shape[0] ?? 0, ranges);
}
