/**
 * Products of a few rows with a float32 matrix, which are bound by reading it: once, and in the order it lies in. Two
 * streams far apart are read a tenth faster than one, if their sums go to the same place; rows beside each other, or
 * more streams, are read at half the speed. For more rows `matmul` packs it.
 */
import { finishColumns } from './epilogue';
import { MATVEC, MATVEC_SLICES } from './jobs';
import { argument, begin, first, launch, partsFor, put } from './threads';
import { addTo, lanesSum, madd } from './vector';

/** Columns that several rows of x share while their piece of the matrix is in the cache. */
const SHARED_COLUMNS: i32 = 2048;
/** From so many rows on, fewer visits of y count for more than reading the matrix in one stream. */
const MANY_ROWS: i32 = 4;

/** `y[n] += Σ x[i] · w[i][n]` for four rows of w, `step` bytes apart. */
function addFour(x: usize, w: usize, step: usize, n: i32, y: usize): void {
  const x0 = v128.load_splat<f32>(x);
  const x1 = v128.load_splat<f32>(x, 4);
  const x2 = v128.load_splat<f32>(x, 8);
  const x3 = v128.load_splat<f32>(x, 12);
  const w1 = w + step;
  const w2 = w1 + step;
  const w3 = w2 + step;
  const whole = (<usize>(n & ~3)) << 2;
  const end = (<usize>n) << 2;
  for (let i: usize = 0; i < whole; i += 16) {
    let sum = madd(x0, v128.load(w + i), v128.load(y + i));
    sum = madd(x1, v128.load(w1 + i), sum);
    sum = madd(x2, v128.load(w2 + i), sum);
    v128.store(y + i, madd(x3, v128.load(w3 + i), sum));
  }
  for (let i = whole; i < end; i += 4) {
    let sum = load<f32>(y + i) + load<f32>(x) * load<f32>(w + i);
    sum += load<f32>(x, 4) * load<f32>(w1 + i);
    sum += load<f32>(x, 8) * load<f32>(w2 + i);
    store<f32>(y + i, sum + load<f32>(x, 12) * load<f32>(w3 + i));
  }
}

function addOne(x: usize, w: usize, n: i32, y: usize): void {
  const value = v128.load_splat<f32>(x);
  const whole = (<usize>(n & ~3)) << 2;
  const end = (<usize>n) << 2;
  let i: usize = 0;
  for (; i + 64 <= whole; i += 64) {
    v128.store(y + i, madd(value, v128.load(w + i), v128.load(y + i)));
    v128.store(y + i, madd(value, v128.load(w + i, 16), v128.load(y + i, 16)), 16);
    v128.store(y + i, madd(value, v128.load(w + i, 32), v128.load(y + i, 32)), 32);
    v128.store(y + i, madd(value, v128.load(w + i, 48), v128.load(y + i, 48)), 48);
  }
  for (; i < whole; i += 16) v128.store(y + i, madd(value, v128.load(w + i), v128.load(y + i)));
  for (i = whole; i < end; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(x) * load<f32>(w + i));
}

/**
 * `y[n] += Σ x[i] · w[i][n] + x[xStep + i] · w[wStep + i][n]` for `count` rows of w, `step` bytes apart, and as many that
 * are far away; these steps are bytes, too. It is called from two places: compiled into a single one, the loop would run
 * out of registers and take a quarter longer.
 */
function addPairs(
  x: usize,
  xStep: usize,
  w: usize,
  wStep: usize,
  step: usize,
  count: i32,
  n: i32,
  y: usize,
): void {
  const whole = (<usize>(n & ~3)) << 2;
  const end = (<usize>n) << 2;
  for (; count > 0; count--) {
    const value = v128.load_splat<f32>(x);
    const other = v128.load_splat<f32>(x + xStep);
    const v = w + wStep;
    let i: usize = 0;
    for (; i + 64 <= whole; i += 64) {
      const y0 = madd(value, v128.load(w + i), v128.load(y + i));
      const y1 = madd(value, v128.load(w + i, 16), v128.load(y + i, 16));
      const y2 = madd(value, v128.load(w + i, 32), v128.load(y + i, 32));
      const y3 = madd(value, v128.load(w + i, 48), v128.load(y + i, 48));
      v128.store(y + i, madd(other, v128.load(v + i), y0));
      v128.store(y + i, madd(other, v128.load(v + i, 16), y1), 16);
      v128.store(y + i, madd(other, v128.load(v + i, 32), y2), 32);
      v128.store(y + i, madd(other, v128.load(v + i, 48), y3), 48);
    }
    for (; i < whole; i += 16) {
      const sum = madd(value, v128.load(w + i), v128.load(y + i));
      v128.store(y + i, madd(other, v128.load(v + i), sum));
    }
    for (; i < end; i += 4) {
      const sum = load<f32>(y + i) + load<f32>(x) * load<f32>(w + i);
      store<f32>(y + i, sum + load<f32>(x + xStep) * load<f32>(v + i));
    }
    x += 4;
    w += step;
  }
}

/** Bias, or zeros without one, in the columns `from` to `to` of y[m][n]. */
function fillBias(y: usize, m: i32, n: i32, bias: usize, from: i32, to: i32): void {
  const at = (<usize>from) << 2;
  const bytes = (<usize>(to - from)) << 2;
  for (let r = 0; r < m; r++) {
    const row = y + at + ((<usize>(r * n)) << 2);
    if (bias) memory.copy(row, bias + at, bytes);
    else memory.fill(row, 0, bytes);
  }
}

/** `y[m] += x[m][k] · w[k]` for the rows of w `top` to `bottom` and some columns; steps in bytes. */
function addRange(
  x: usize,
  xStep: usize,
  m: i32,
  w: usize,
  step: usize,
  columns: i32,
  y: usize,
  top: i32,
  bottom: i32,
): void {
  let p = top;
  for (; p + 4 <= bottom; p += 4) {
    const values = x + ((<usize>p) << 2);
    const rows = w + <usize>p * step;
    for (let r = 0; r < m; r++) addFour(values + <usize>r * xStep, rows, step, columns, y + <usize>r * step);
  }
  for (; p < bottom; p++) {
    const values = x + ((<usize>p) << 2);
    const row = w + <usize>p * step;
    for (let r = 0; r < m; r++) addOne(values + <usize>r * xStep, row, columns, y + <usize>r * step);
  }
}

/**
 * `y[m][n] += x[m][k] · w[k][n]` in the columns `from` to `to`, for the rows of w `top` to `bottom` of the first half
 * and as many of the second; with `isLast` an odd row behind it, too.
 */
function addRows(
  x: usize,
  m: i32,
  k: i32,
  w: usize,
  n: i32,
  y: usize,
  from: i32,
  to: i32,
  top: i32,
  bottom: i32,
  isLast: bool,
): void {
  const step = (<usize>n) << 2;
  const xStep = (<usize>k) << 2;
  const half = k >> 1;
  const last = isLast ? k : half + bottom;
  const block = m === 1 ? to - from : SHARED_COLUMNS;
  for (let j = from; j < to; j += block) {
    const columns = min(block, to - j);
    const first = w + ((<usize>j) << 2);
    const out = y + ((<usize>j) << 2);
    if (m >= MANY_ROWS) {
      addRange(x, xStep, m, first, step, columns, out, top, bottom);
      addRange(x, xStep, m, first, step, columns, out, half + top, last);
      continue;
    }
    const far = (<usize>half) << 2;
    const wFar = <usize>half * step;
    if (m === 1) {
      const values = x + ((<usize>top) << 2);
      addPairs(values, far, first + <usize>top * step, wFar, step, bottom - top, columns, out);
    } else {
      for (let p = top; p < bottom; p++) {
        const values = x + ((<usize>p) << 2);
        const pair = first + <usize>p * step;
        for (let r = 0; r < m; r++) {
          addPairs(values + <usize>r * xStep, far, pair, wFar, step, 1, columns, out + <usize>r * step);
        }
      }
    }
    addRange(x, xStep, m, first, step, columns, out, half + bottom, last);
  }
}

/** The product of x[k] and w[k], in four sums, so that none waits for the one before it. */
function dot(x: usize, w: usize, k: i32): f32 {
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  const end = (<usize>k) << 2;
  let i: usize = 0;
  for (; i + 64 <= end; i += 64) {
    sum0 = madd(v128.load(x + i), v128.load(w + i), sum0);
    sum1 = madd(v128.load(x + i, 16), v128.load(w + i, 16), sum1);
    sum2 = madd(v128.load(x + i, 32), v128.load(w + i, 32), sum2);
    sum3 = madd(v128.load(x + i, 48), v128.load(w + i, 48), sum3);
  }
  for (; i + 16 <= end; i += 16) sum0 = madd(v128.load(x + i), v128.load(w + i), sum0);
  let y = lanesSum(f32x4.add(f32x4.add(sum0, sum1), f32x4.add(sum2, sum3)));
  for (; i < end; i += 4) y += load<f32>(x + i) * load<f32>(w + i);
  return y;
}

/** `y[m][n] = x[m][k] · w[n][k]ᵀ + bias`, for the rows of w `from` to `to`. */
function rowsRange(
  x: usize,
  m: i32,
  k: i32,
  w: usize,
  n: i32,
  bias: usize,
  y: usize,
  from: i32,
  to: i32,
): void {
  const step = (<usize>k) << 2;
  const yStep = (<usize>n) << 2;
  for (let j = from; j < to; j++) {
    const row = w + <usize>j * step;
    const column = (<usize>j) << 2;
    const start: f32 = bias ? load<f32>(bias + column) : 0;
    for (let r = 0; r < m; r++) {
      store<f32>(y + <usize>r * yStep + column, start + dot(x + <usize>r * step, row, k));
    }
  }
}

/** Up to so many rows are worth it. */
export const MATVEC_ROWS: i32 = 8;
/** Reading a value of the matrix takes as long as so many operations. */
const READ: f64 = 16;
/** From so many columns on, a thread's share of a row is long enough to be read in one stream. */
const WIDE: i32 = 8192;
/**
 * A narrower matrix is shared by its rows: in a fixed number of slices, each with sums of its own, so that the result
 * does not depend on how many threads there are.
 */
const SLICES: i32 = 4;

/** Bytes of scratch memory that `matvec` needs. */
export function matvecScratch(m: i32, n: i32): usize {
  return n < WIDE ? (<usize>((SLICES - 1) * m * n)) << 2 : 0;
}

/**
 * `y[m][n] = x[m][k] · w + bias` for a few rows x and one matrix w of [k][n]; then
 * `activated = activation(y) + residual` if it is asked for, as `matmul` does.
 *
 * @param transposed whether w lies as [n][k]
 * @param scratch `matvecScratch` bytes
 */
export function matvec(
  x: usize,
  m: i32,
  k: i32,
  w: usize,
  transposed: bool,
  n: i32,
  bias: usize,
  y: usize,
  activation: i32,
  residual: usize,
  activated: usize,
  scratch: usize,
): void {
  const parts = partsFor((READ + 2.0 * <f64>m) * <f64>n * <f64>k);
  const isSliced = !transposed && n < WIDE;
  begin(isSliced ? MATVEC_SLICES : MATVEC);
  put(x);
  put(<usize>m);
  put(<usize>k);
  put(w);
  put(<usize>transposed);
  put(<usize>n);
  put(bias);
  put(y);
  put(scratch);
  launch(parts);
  if (isSliced) {
    const bytes = (<usize>(m * n)) << 2;
    for (let s = 1; s < SLICES; s++) addTo(y, scratch + <usize>(s - 1) * bytes, m * n);
  }
  finishColumns(y, m, n, 0, n, activation, residual, activated);
}

/** A part is some of the columns of y. */
export function matvecPart(part: i32, parts: i32): void {
  const x = argument(0);
  const m = <i32>argument(1);
  const k = <i32>argument(2);
  const w = argument(3);
  const n = <i32>argument(5);
  const bias = argument(6);
  const y = argument(7);
  const from = first(n, part, parts, 16);
  const to = first(n, part + 1, parts, 16);
  if (argument(4)) {
    rowsRange(x, m, k, w, n, bias, y, from, to);
  } else {
    fillBias(y, m, n, bias, from, to);
    addRows(x, m, k, w, n, y, from, to, 0, k >> 1, true);
  }
}

/** A part is some of the slices; the first one's sums are y itself. */
export function matvecSlicesPart(part: i32, parts: i32): void {
  const m = <i32>argument(1);
  const k = <i32>argument(2);
  const n = <i32>argument(5);
  const bytes = (<usize>(m * n)) << 2;
  const last = first(SLICES, part + 1, parts);
  for (let s = first(SLICES, part, parts); s < last; s++) {
    const y = s === 0 ? argument(7) : argument(8) + <usize>(s - 1) * bytes;
    fillBias(y, m, n, s === 0 ? argument(6) : 0, 0, n);
    const half = k >> 1;
    const top = first(half, s, SLICES, 4);
    const bottom = first(half, s + 1, SLICES, 4);
    addRows(argument(0), m, k, argument(3), n, y, 0, n, top, bottom, s === SLICES - 1);
  }
}
