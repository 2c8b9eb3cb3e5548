import {
  type GroupedPiece,
  type Parameter,
  turnRows,
  type WeightPiece,
  type WeightWriter,
  widen,
} from '@mmllm/core';
import type { ReadOptions } from '../source';
import { interleavedRows, isTurned, rowsToOurs, sizeOfRow } from './layout';
import type { NameRule } from './name-map';
import { partShape, pickColumns, rowRanges } from './parts';
import { prefetched } from './prefetch';
import type { WeightSource } from './source';

/** A tensor of the file, or a part of it, that fills a parameter or a part of it. */
export interface FilledPart {
  readonly key: string;
  readonly rule: NameRule;
}

/** A parameter, and what fills it, in the order of its rows. */
export interface Filling {
  readonly path: string;
  readonly parameter: Parameter;
  readonly parts: readonly FilledPart[];
}

export interface FillOptions extends ReadOptions {
  /** Called after each part of a parameter, with the number of its values. */
  readonly onPart: (path: string, values: number) => void;
  /** About so many values are read at a time. Default 2^20: some megabytes stay in the processor's cache. */
  readonly pieceValues?: number;
}

/** Rows `start` to `end` of a tensor, which are the next ones of a parameter. */
interface Job extends FilledPart {
  readonly path: string;
  readonly parameter: Parameter;
  readonly start: number;
  readonly end: number;
  readonly isLast: boolean;
}

/** So many rows at least, and a multiple of it: turned, they are whole lines of the cache. */
const PIECE_ROWS = 16;

/**
 * Fills parameters from the tensors of a source, piece by piece. Each has its new values when its last piece is there, and
 * its old ones until then.
 */
export async function fillParameters(
  source: WeightSource,
  fillings: readonly Filling[],
  { signal, onPart, pieceValues = 2 ** 20 }: FillOptions,
): Promise<void> {
  const jobs = [...planJobs(source, fillings, pieceValues)];
  const read = rowReader(source, jobs, signal);
  let writer: WeightWriter<void> | undefined;
  try {
    for await (const [job, piece] of prefetched(jobs, read)) {
      signal?.throwIfAborted();
      const { parameter, path, rule, key, isLast } = job;
      writer ??= parameter.writer({ turned: isTurned(rule) && rule.stacked === undefined });
      const arranged = arrange(piece, rule, source.shape(key));
      writer.write(arranged);
      if (isLast) {
        writer.finish();
        writer = undefined;
      }
      onPart(path, arranged.values.length);
    }
  } finally {
    writer?.dispose();
  }
}

/** In the order of the source, so that a file is read from front to back; what makes up one parameter comes together. */
function* planJobs(
  source: WeightSource,
  fillings: readonly Filling[],
  pieceValues: number,
): Generator<Job, void, undefined> {
  const places = new Map([...source.keys()].map((key, place) => [key, place]));
  const placeOf = ({ parts }: Filling) => Math.min(...parts.map(({ key }) => places.get(key)!));
  const ordered = fillings.map((filling) => [placeOf(filling), filling] as const);
  for (const [, { path, parameter, parts }] of ordered.sort(([a], [b]) => a - b)) {
    const jobs = parts.flatMap((part) =>
      piecesOf(source.shape(part.key), part.rule, pieceValues).map(([start, end]) => ({
        ...part,
        start,
        end,
      })),
    );
    for (const [i, job] of jobs.entries()) yield { ...job, path, parameter, isLast: i === jobs.length - 1 };
  }
}

/** The rows of a part, cut into pieces. */
function piecesOf(
  shape: readonly number[],
  rule: NameRule,
  pieceValues: number,
): [start: number, end: number][] {
  const pieces: [number, number][] = [];
  for (const [first, last] of rowRanges(rule, shape[0] ?? 1)) {
    const step = rowsOfPiece(shape, rule, last - first, pieceValues);
    for (let start = first; start < last; start += step) pieces.push([start, Math.min(start + step, last)]);
  }
  return pieces;
}

function rowsOfPiece(shape: readonly number[], rule: NameRule, count: number, pieceValues: number): number {
  // Here a slice is turned, which takes the whole of it.
  if (rule.stacked !== undefined && isTurned(rule)) return count;
  // The rows of a head that lie in pairs are moved within it, so they come together.
  const unit = interleavedRows(rule, [count]) ?? PIECE_ROWS;
  return Math.max(1, Math.floor(pieceValues / sizeOfRow(shape) / unit)) * unit;
}

type RowReader = (job: Job, turn: 0 | 1) => Promise<WeightPiece>;

/** Reads rows into one of two buffers, where the source can. */
function rowReader(source: WeightSource, jobs: readonly Job[], signal: AbortSignal | undefined): RowReader {
  if (!source.readRows) return wholeReader(source, signal);
  const sizes = jobs.map(({ key, start, end }) => (end - start) * sizeOfRow(source.shape(key)));
  const bytes = 4 * sizes.reduce((most, size) => Math.max(most, size), 0);
  const buffers = [new Uint8Array(bytes), new Uint8Array(bytes)] as const;
  return ({ key, start, end }, turn) => source.readRows!(key, start, end, { signal, into: buffers[turn] });
}

/** Reads each tensor whole, once, and cuts its rows out. */
function wholeReader(source: WeightSource, signal: AbortSignal | undefined): RowReader {
  let last: { readonly key: string; readonly values: Float32Array } | undefined;
  return async ({ key, start, end }) => {
    const { values } = last?.key === key ? last : { values: await source.read(key, { signal }) };
    last = { key, values };
    const width = sizeOfRow(source.shape(key));
    return { type: 'float32', values: values.subarray(start * width, end * width) };
  };
}

/** @param shape of the whole tensor */
function arrange(piece: WeightPiece, rule: NameRule, shape: readonly number[]): WeightPiece {
  switch (piece.type) {
    case 'float32':
      return { type: piece.type, values: arrangeValues(piece.values, rule, shape) };
    case 'bfloat16':
    case 'float16':
      return { type: piece.type, values: arrangeValues(piece.values, rule, shape) };
    default:
      return keepsGroups(rule)
        ? arrangeGroups(piece, rule, shape)
        : arrange({ type: 'float32', values: widen(piece) }, rule, shape);
  }
}

/** Whether rows are only moved as a whole, so that groups along them stay together. */
const keepsGroups = (rule: NameRule): boolean =>
  rule.layout !== 'conv-linear' && !rule.columns && (rule.stacked === undefined || !isTurned(rule));

function arrangeGroups(piece: GroupedPiece, rule: NameRule, shape: readonly number[]): GroupedPiece {
  const groups = (piece.scales.length / piece.values.length) * shape.at(-1)!;
  const ofGroups = (values: Float32Array) => arrangeValues(values, rule, shape.with(-1, groups));
  const ofCodes = <T extends WeightPiece['values']>(values: T) => arrangeValues(values, rule, shape);
  const scales = ofGroups(piece.scales);
  switch (piece.type) {
    case 'q8':
      return { type: piece.type, values: ofCodes(piece.values), scales };
    case 'q4':
      return { type: piece.type, values: ofCodes(piece.values), scales };
    case 'q4_1':
      return { type: piece.type, values: ofCodes(piece.values), scales, minimums: ofGroups(piece.minimums) };
  }
}

function arrangeValues<T extends WeightPiece['values']>(
  values: T,
  rule: NameRule,
  shape: readonly number[],
): T {
  const part = partShape(shape, rule);
  const rows = rowsToOurs(rule, pickColumns(values, shape, rule), part);
  if (rule.stacked === undefined || !isTurned(rule)) return rows;
  const into = rows.slice() as T;
  turnRows(rows, sizeOfRow(part), { into, height: part[0]! });
  return into;
}
