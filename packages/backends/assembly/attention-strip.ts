/**
 * The parts of attention that work on a strip: scores of eight queries against many keys, [keys][8], with the queries
 * in the lanes. It stays in the first cache, softmax runs down it, and it is a packed side of the next product.
 */
import { panels } from './attention-task';
import { constants, ZEROS } from './constants';
import { exp, log } from './exponential';
import { packColumns, transposeFour } from './pack';
import { COLUMNS, ROWS, tile } from './tiles';
import { madd } from './vector';

/** The score of a key that is not seen: finite, so that a row of them is no NaN. */
export const HIDDEN: f32 = -3e38;

/** Bytes of n rows of `size` floats in panels of `width` rows. */
export function packedBytes(n: i32, size: i32, width: i32): usize {
  return (<usize>(panels(n, width) * width * size)) << 2;
}

/** Bytes of a strip; its last tile of keys may be incomplete. */
export function stripBytes(keys: i32): usize {
  return packedBytes(keys, COLUMNS, ROWS);
}

/** A panel [size][8] of up to eight rows, times `scale`. */
export function packQueries(to: usize, from: usize, step: usize, count: i32, size: i32, scale: f32): void {
  packColumns(to, from, step, 4, count, size);
  if (scale === 1) return;
  const factor = f32x4.splat(scale);
  const end = to + ((<usize>size) << 5);
  for (; to < end; to += 16) v128.store(to, f32x4.mul(v128.load(to), factor));
}

/** `strip[keys][8] = rows · queries` for rows [keys][size] in panels of six and one panel of queries. */
export function scoreStrip(rows: usize, query: usize, keys: i32, size: i32, strip: usize): void {
  const zeros = constants() + ZEROS;
  const step = <usize>(size * 24);
  for (let s = 0; s < keys; s += ROWS) {
    tile(rows, query, size, 32, zeros, 0, strip, 32);
    rows += step;
    strip += 192;
  }
}

/**
 * Replaces scores by `exp(score − max)`; 1 / Σ goes to `inverse` and max + ln Σ to `logSumExp`, eight floats each; for
 * a query that sees nothing 0 and `HIDDEN`. NaN passes: `pmax` leaves it out of the maximum, the exponential keeps it.
 */
export function softmaxStrip(strip: usize, keys: i32, inverse: usize, logSumExp: usize): void {
  const end = strip + ((<usize>keys) << 5);
  let max0 = f32x4.splat(-Infinity);
  let max1 = max0;
  for (let at = strip; at < end; at += 32) {
    max0 = f32x4.pmax(max0, v128.load(at));
    max1 = f32x4.pmax(max1, v128.load(at, 16));
  }
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  for (let at = strip; at < end; at += 32) {
    const e0 = exp(f32x4.sub(v128.load(at), max0));
    const e1 = exp(f32x4.sub(v128.load(at, 16), max1));
    sum0 = f32x4.add(sum0, e0);
    sum1 = f32x4.add(sum1, e1);
    v128.store(at, e0);
    v128.store(at, e1, 16);
  }
  v128.store(inverse, inverseSum(sum0, max0));
  v128.store(inverse, inverseSum(sum1, max1), 16);
  v128.store(logSumExp, f32x4.add(max0, log(sum0)));
  v128.store(logSumExp, f32x4.add(max1, log(sum1)), 16);
}

/** 1 / Σ, or 0 where the largest score says that nothing is seen. */
export function inverseSum(sum: v128, max: v128): v128 {
  return v128.andnot(f32x4.div(f32x4.splat(1), sum), f32x4.eq(max, f32x4.splat(HIDDEN)));
}

/** Bytes of scratch memory that `weighRows` needs. */
export function weighScratch(size: i32): usize {
  // The result with queries in lanes, in tiles of six and read in fours, and the same as rows.
  return (<usize>(panels(size, 12) * 12)) << 6;
}

/**
 * `to[count][size] = keep ∘ to + factors ∘ (stripᵀ · side)`: how up to eight queries weigh the rows of a side.
 *
 * @param side [keys][size], its columns in panels of six, `sideKeys` rows each
 * @param factors eight floats, one a query
 * @param keep eight floats, or 0 to overwrite
 */
export function weighRows(
  strip: usize,
  side: usize,
  sideKeys: i32,
  keys: i32,
  factors: usize,
  keep: usize,
  to: usize,
  toStep: usize,
  count: i32,
  size: i32,
  scratch: usize,
): void {
  const zeros = constants() + ZEROS;
  const sideStep = <usize>(sideKeys * 24);
  for (let x = 0; x < size; x += ROWS) {
    tile(side, strip, keys, 32, zeros, 0, scratch + ((<usize>x) << 5), 32);
    side += sideStep;
  }
  const padded = panels(size, 12) * 12;
  const rows = scratch + ((<usize>padded) << 5);
  turn(rows, scratch, size, (<usize>padded) << 2, factors);
  for (let i = 0; i < count; i++) {
    mergeRow(
      to + <usize>i * toStep,
      rows + <usize>i * ((<usize>padded) << 2),
      size,
      keep ? keep + ((<usize>i) << 2) : 0,
    );
  }
}

/** [size][8] times eight factors becomes eight rows. */
function turn(rows: usize, columns: usize, size: i32, step: usize, factors: usize): void {
  const f0 = v128.load(factors);
  const f1 = v128.load(factors, 16);
  for (let x = 0; x < size; x += 4) {
    transposeFour(
      rows,
      step,
      f32x4.mul(v128.load(columns), f0),
      f32x4.mul(v128.load(columns, 32), f0),
      f32x4.mul(v128.load(columns, 64), f0),
      f32x4.mul(v128.load(columns, 96), f0),
    );
    transposeFour(
      rows + 4 * step,
      step,
      f32x4.mul(v128.load(columns, 16), f1),
      f32x4.mul(v128.load(columns, 48), f1),
      f32x4.mul(v128.load(columns, 80), f1),
      f32x4.mul(v128.load(columns, 112), f1),
    );
    rows += 16;
    columns += 128;
  }
}

/** `to = keep · to + from`, or `to = from` without a `keep`. */
export function mergeRow(to: usize, from: usize, size: i32, keep: usize): void {
  if (!keep) {
    memory.copy(to, from, (<usize>size) << 2);
    return;
  }
  const factor = v128.load_splat<f32>(keep);
  let x = 0;
  for (; x + 4 <= size; x += 4) {
    v128.store(to, madd(factor, v128.load(to), v128.load(from)));
    to += 16;
    from += 16;
  }
  for (; x < size; x++) {
    store<f32>(to, load<f32>(keep) * load<f32>(to) + load<f32>(from));
    to += 4;
    from += 4;
  }
}

/**
 * Joins the softmax of more keys to that of those before (Dao et al., arXiv:2205.14135): `before` becomes what the
 * rows so far keep, `factors` is scaled to what the new ones count, and `logs` becomes the log-sum-exp of both. Eight
 * floats each.
 */
export function joinSoftmax(before: usize, logs: usize, factors: usize): void {
  for (let half: usize = 0; half < 32; half += 16) {
    const old = v128.load(before + half);
    const added = v128.load(logs + half);
    const largest = f32x4.pmax(old, added);
    const sum = f32x4.add(exp(f32x4.sub(old, largest)), exp(f32x4.sub(added, largest)));
    const joined = f32x4.add(largest, log(sum));
    v128.store(before + half, exp(f32x4.sub(old, joined)));
    v128.store(factors + half, f32x4.mul(v128.load(factors + half), exp(f32x4.sub(added, joined))));
    v128.store(logs + half, joined);
  }
}
