import type { WeightPiece } from '@mmllm/core';
import { sameShape, sizeOfRow } from './layout';

/** A part of a file tensor, cut before the layout applies. Without any of these it is the whole; at most one may be given. */
export interface FilePart {
  /**
   * Rows `rows[0]` to `rows[1]` (exclusive) of the first axis, such as those of the queries in the joint projection of
   * `torch.nn.MultiheadAttention`.
   */
  readonly rows?: readonly [start: number, end: number];
  /**
   * Of every `of` blocks of `size` rows, the one at `index`: the queries, keys or values of a joint projection that is
   * laid out head by head.
   */
  readonly blocks?: { readonly size: number; readonly index: number; readonly of: number };
  /** Columns of the last axis, such as the gates of experts that are stored side by side with what they gate. */
  readonly columns?: readonly [start: number, end: number];
}

type Range = readonly [start: number, end: number];

/** The rows of a tensor of `count` rows that hold the part, in order. */
export function rowRanges({ rows, blocks }: FilePart, count: number): Range[] {
  if (rows) return [rows];
  if (!blocks) return [[0, count]];
  const { size, index, of } = blocks;
  const ranges: Range[] = [];
  for (let start = index * size; start + size <= count; start += of * size)
    ranges.push([start, start + size]);
  return ranges;
}

/** The shape of the part. Too few rows or columns show as a shape that fits nothing. */
export function partShape(shape: readonly number[], part: FilePart): readonly number[] {
  const [count = 0, ...rest] = shape;
  if (part.columns) return [...shape.slice(0, -1), within(part.columns, shape.at(-1) ?? 0)];
  if (part.rows) return [within(part.rows, count), ...rest];
  if (!part.blocks) return shape;
  return [rowRanges(part, count).reduce((sum, [start, end]) => sum + end - start, 0), ...rest];
}

const within = ([start, end]: Range, size: number): number => Math.max(Math.min(end, size) - start, 0);

/** Whether values of shape `piece` are as many rows or columns as the part says, and as wide as the rest of the tensor. */
export function fitsPart(piece: readonly number[], shape: readonly number[], part: FilePart): boolean {
  const axis = part.columns ? piece.length - 1 : 0;
  const own = piece[axis] ?? 0;
  const range = part.columns ?? part.rows;
  const count = range ? own === range[1] - range[0] : own % (part.blocks?.size ?? 1) === 0;
  return count && (!isPart(part) || sameShape(piece.with(axis, 0), shape.with(axis, 0)));
}

/** The columns of the part, of whole rows of a tensor of `shape`. May be `values` itself. */
export function pickColumns<T extends WeightPiece['values']>(
  values: T,
  shape: readonly number[],
  { columns }: FilePart,
): T {
  if (!columns) return values;
  const width = shape.at(-1) ?? 1;
  const [start, end] = columns;
  const runs = values.length / width;
  const picked = values.slice(0, runs * (end - start)) as T;
  for (let run = 0; run < runs; run++) {
    picked.set(values.subarray(run * width + start, run * width + end), run * (end - start));
  }
  return picked;
}

/** Writes the values of a part to their places in a tensor of `shape`. */
export function placePart(
  part: FilePart,
  values: Float32Array,
  { into, shape }: { into: Float32Array; shape: readonly number[] },
): void {
  const width = sizeOfRow(shape);
  if (part.columns) {
    const [start, end] = part.columns;
    const full = shape.at(-1) ?? 1;
    for (let run = 0; run < into.length / full; run++) {
      into.set(values.subarray(run * (end - start), (run + 1) * (end - start)), run * full + start);
    }
    return;
  }
  let at = 0;
  for (const [start, end] of rowRanges(part, shape[0] ?? 1)) {
    const length = (end - start) * width;
    into.set(values.subarray(at, at + length), start * width);
    at += length;
  }
}

interface Sharer {
  readonly path: string;
  readonly rule: FilePart;
}

const isPart = ({ rows, blocks, columns }: FilePart): boolean =>
  rows !== undefined || blocks !== undefined || columns !== undefined;

/**
 * What is wrong with how parameters share a tensor; undefined if each row, or each column, belongs to exactly one of them.
 */
export function findGap(shape: readonly number[], sharers: readonly Sharer[]): string | undefined {
  if (sharers.length === 1 && !isPart(sharers[0]!.rule)) return undefined;
  const whole = sharers.find(({ rule }) => !isPart(rule));
  if (whole) return `${whole.path} takes it whole, beside ${sharers.find((s) => s !== whole)!.path}`;
  const byColumn = sharers.filter(({ rule }) => rule.columns);
  if (byColumn.length > 0 && byColumn.length < sharers.length) return 'by rows and by columns at once';
  const [name, size] = byColumn.length > 0 ? ['column', shape.at(-1) ?? 0] : ['row', shape[0] ?? 0];
  const ranges = sharers.flatMap(({ path, rule }) => {
    const own = rule.columns ? [rule.columns] : rowRanges(rule, size);
    return own.map((range) => ({ path, range }));
  });
  return findGapOfRanges(name, size, ranges);
}

/** What is wrong with ranges that should follow each other from 0 to `size`. @param name of what they count */
export function findGapOfRanges(
  name: string,
  size: number,
  ranges: readonly { readonly path: string; readonly range: Range }[],
): string | undefined {
  let position = 0;
  for (const { path, range } of [...ranges].sort((a, b) => a.range[0] - b.range[0])) {
    const [start, end] = range;
    if (start !== position) {
      const state = start < position ? 'twice' : 'unused';
      return `${name} ${Math.min(start, position)} ${state}, near ${path}`;
    }
    position = end;
  }
  if (position === size) return undefined;
  return `${name} ${Math.min(position, size)} of ${size} ${position < size ? 'unused' : 'lacking'}`;
}
