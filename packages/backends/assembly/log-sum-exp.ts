/** The log of a sum of exponentials over rows, and what is made of it. */
import { exp, log } from './exponential';
import { LOG_SUM_EXP, LOG_SUM_EXP_GRADIENT } from './jobs';
import { argument, begin, first, launch, partsFor, put } from './threads';
import { lanesMax, lanesSum } from './vector';

/** Work for each float, an exponential above all. */
export const COST: f64 = 25;

/** Floats of a row that are read twice, for their maximum and for their exponentials, while they are in the cache. */
const CHUNK: i32 = 2048;

/** The greatest of `n` floats; NaN does not count. */
function greatest(x: usize, n: i32): f32 {
  let a = f32x4.splat(-Infinity);
  let b = a;
  const end = x + ((<usize>n) << 2);
  for (const whole = x + ((<usize>(n & ~7)) << 2); x < whole; x += 32) {
    a = f32x4.pmax(a, v128.load(x));
    b = f32x4.pmax(b, v128.load(x, 16));
  }
  let max = lanesMax(f32x4.pmax(a, b));
  for (; x < end; x += 4) {
    const value = load<f32>(x);
    if (value > max) max = value;
  }
  return max;
}

export function expOf(x: f32): f32 {
  return f32x4.extract_lane(exp(f32x4.splat(x)), 0);
}

/** Σ exp(x − center) of `n` floats. */
function exponentials(x: usize, n: i32, center: f32): f32 {
  const centers = f32x4.splat(center);
  let sums = f32x4.splat(0);
  const end = x + ((<usize>n) << 2);
  for (const whole = x + ((<usize>(n & ~3)) << 2); x < whole; x += 16) {
    sums = f32x4.add(sums, exp(f32x4.sub(v128.load(x), centers)));
  }
  let sum = lanesSum(sums);
  for (; x < end; x += 4) sum += expOf(load<f32>(x) - center);
  return sum;
}

/**
 * log Σ exp(x) of `n` floats, read once from main memory: the sum of what came before is rescaled when a chunk has a
 * greater maximum (Milakov & Gimelshein, arXiv:1805.02867). An infinite maximum is the result, NaN if there is one.
 */
export function logSumExpOf(x: usize, n: i32): f32 {
  let max: f32 = -Infinity;
  let sum: f64 = 0;
  for (let i = 0; i < n; i += CHUNK) {
    const chunk = x + ((<usize>i) << 2);
    const count = min(CHUNK, n - i);
    const chunkMax = greatest(chunk, count);
    if (chunkMax > max) {
      sum *= expOf(max - chunkMax);
      max = chunkMax;
    }
    // Around an infinite maximum all differences would be NaN; so the sum becomes NaN only where there is one.
    sum += exponentials(chunk, count, abs<f32>(max) === Infinity ? 0 : max);
  }
  if (abs<f32>(max) === Infinity) return F64.isNaN(sum) ? NaN : max;
  return max + f32x4.extract_lane(log(f32x4.splat(<f32>sum)), 0);
}

/** `out = exp(x − shift) · factor` for `n` floats. */
export function weigh(x: usize, n: i32, shift: f32, factor: f32, out: usize): void {
  const shifts = f32x4.splat(shift);
  const factors = f32x4.splat(factor);
  const end = x + ((<usize>n) << 2);
  for (const whole = x + ((<usize>(n & ~3)) << 2); x < whole; x += 16) {
    v128.store(out, f32x4.mul(exp(f32x4.sub(v128.load(x), shifts)), factors));
    out += 16;
  }
  for (; x < end; x += 4) {
    store<f32>(out, expOf(load<f32>(x) - shift) * factor);
    out += 4;
  }
}

function logSumExpRows(x: usize, width: i32, out: usize, from: i32, to: i32): void {
  for (let r = from; r < to; r++) {
    store<f32>(out + ((<usize>r) << 2), logSumExpOf(x + ((<usize>r * <usize>width) << 2), width));
  }
}

/** log Σ exp of every row of `width` floats. */
export function logSumExp(x: usize, rows: i32, width: i32, out: usize): void {
  begin(LOG_SUM_EXP);
  put(x);
  put(<usize>rows);
  put(<usize>width);
  put(out);
  launch(partsFor(COST * <f64>rows * <f64>width));
}

export function logSumExpPart(part: i32, parts: i32): void {
  const rows = <i32>argument(1);
  const from = first(rows, part, parts);
  logSumExpRows(argument(0), <i32>argument(2), argument(3), from, first(rows, part + 1, parts));
}

function logSumExpGradientRows(
  dy: usize,
  x: usize,
  sums: usize,
  width: i32,
  dx: usize,
  from: i32,
  to: i32,
): void {
  for (let r = from; r < to; r++) {
    const row = (<usize>r * <usize>width) << 2;
    const sum = load<f32>(sums + ((<usize>r) << 2));
    if (abs<f32>(sum) === Infinity) memory.fill(dx + row, 0, (<usize>width) << 2);
    else weigh(x + row, width, sum, load<f32>(dy + ((<usize>r) << 2)), dx + row);
  }
}

/** `dx = softmax(x) · dy` from the results `sums`; zeros for a row whose result is infinite. */
export function logSumExpGradient(dy: usize, x: usize, sums: usize, rows: i32, width: i32, dx: usize): void {
  begin(LOG_SUM_EXP_GRADIENT);
  put(dy);
  put(x);
  put(sums);
  put(<usize>rows);
  put(<usize>width);
  put(dx);
  launch(partsFor(COST * <f64>rows * <f64>width));
}

export function logSumExpGradientPart(part: i32, parts: i32): void {
  const rows = <i32>argument(3);
  logSumExpGradientRows(
    argument(0),
    argument(1),
    argument(2),
    <i32>argument(4),
    argument(5),
    first(rows, part, parts),
    first(rows, part + 1, parts),
  );
}
