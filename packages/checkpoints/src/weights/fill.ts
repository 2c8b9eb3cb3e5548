import type { Parameter, WeightPiece, WeightWriter } from '@mmllm/core';
import type { ReadOptions } from '../source';
import { interleavedRows, isTurned, rowsToOurs, sizeOfRow } from './layout';
import type { NameRule } from './name-map';
import { prefetched } from './prefetch';
import { cutShape } from './rows';
import type { WeightSource } from './source';

/** A parameter, and the part of a file tensor that fills it. */
export interface Filling {
  readonly path: string;
  readonly parameter: Parameter;
  readonly rule: NameRule;
}

export interface FillOptions extends ReadOptions {
  /** Called after each part of a parameter, with the number of its values. */
  readonly onPart: (path: string, values: number) => void;
  /** About so many values are read at a time. Default 2^20: some megabytes stay in the processor's cache. */
  readonly pieceValues?: number;
}

/** Rows `start` to `end` of a tensor, which are the next part of a parameter. */
interface Job extends Filling {
  readonly key: string;
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
  fillings: ReadonlyMap<string, readonly Filling[]>,
  { signal, onPart, pieceValues = 2 ** 20 }: FillOptions,
): Promise<void> {
  const jobs = [...planJobs(source, fillings, pieceValues)];
  const read = rowReader(source, jobs, signal);
  let writer: WeightWriter<void> | undefined;
  try {
    for await (const [job, piece] of prefetched(jobs, read)) {
      signal?.throwIfAborted();
      const { parameter, path, rule, key, isLast } = job;
      writer ??= parameter.writer({ turned: isTurned(rule) });
      writer.write(arrange(piece, rule, cutShape(source.shape(key), rule)));
      if (isLast) {
        writer.finish();
        writer = undefined;
      }
      onPart(path, piece.values.length);
    }
  } finally {
    writer?.dispose();
  }
}

/** In the order of the source, so that a file is read from front to back. */
function* planJobs(
  source: WeightSource,
  fillings: ReadonlyMap<string, readonly Filling[]>,
  pieceValues: number,
): Generator<Job, void, undefined> {
  for (const key of source.keys()) {
    for (const filling of fillings.get(key) ?? []) {
      const shape = source.shape(key);
      const [first, last] = filling.rule.rows ?? [0, shape[0] ?? 1];
      // The rows of a head that lie in pairs are moved within it, so they come together.
      const unit = interleavedRows(filling.rule, [last - first]) ?? PIECE_ROWS;
      const step = Math.max(1, Math.floor(pieceValues / sizeOfRow(shape) / unit)) * unit;
      for (let start = first; start < last; start += step) {
        const end = Math.min(start + step, last);
        yield { ...filling, key, start, end, isLast: end === last };
      }
    }
  }
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

function arrange(piece: WeightPiece, rule: NameRule, theirs: readonly number[]): WeightPiece {
  return piece.type === 'float32'
    ? { type: piece.type, values: rowsToOurs(rule, piece.values, theirs) }
    : { type: piece.type, values: rowsToOurs(rule, piece.values, theirs) };
}
