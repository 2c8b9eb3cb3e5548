/**
 * Products of a few rows with a float32 matrix, which are bound by reading it: once, in the order it lies in. For more
 * rows `matmul` packs it. Threads share the columns of the result.
 */
import { finishColumns } from './epilogue';
import { MATVEC } from './jobs';
import { argument, begin, first, launch, partsFor, put } from './threads';
import { lanesSum, madd } from './vector';

/** Columns that several rows of x share while their piece of the matrix is in the first cache. */
const SHARED_COLUMNS: i32 = 512;

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
  for (let i: usize = 0; i < whole; i += 16)
    v128.store(y + i, madd(value, v128.load(w + i), v128.load(y + i)));
  for (let i = whole; i < end; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(x) * load<f32>(w + i));
}

/** `y[m][n] = x[m][k] · w[k][n] + bias`, for the columns `from` to `to`. */
function columnsRange(
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
  const step = (<usize>n) << 2;
  const xStep = (<usize>k) << 2;
  const block = m === 1 ? to - from : SHARED_COLUMNS;
  for (let j = from; j < to; j += block) {
    const columns = min(block, to - j);
    const at = (<usize>j) << 2;
    const bytes = (<usize>columns) << 2;
    for (let r = 0; r < m; r++) {
      const row = y + at + <usize>r * step;
      if (bias) memory.copy(row, bias + at, bytes);
      else memory.fill(row, 0, bytes);
    }
    for (let p = 0; p < k; p += 4) {
      const rows = w + at + <usize>p * step;
      for (let r = 0; r < m; r++) {
        const values = x + <usize>r * xStep + ((<usize>p) << 2);
        const row = y + at + <usize>r * step;
        if (p + 4 <= k) addFour(values, rows, step, columns, row);
        else {
          for (let i = 0; i < k - p; i++) {
            addOne(values + ((<usize>i) << 2), rows + <usize>i * step, columns, row);
          }
        }
      }
    }
  }
}

/** The products of x[k] with four rows of w, `step` bytes apart. */
function dotFour(x: usize, w: usize, step: usize, k: i32, y: usize): void {
  const w1 = w + step;
  const w2 = w1 + step;
  const w3 = w2 + step;
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let sum2 = sum0;
  let sum3 = sum0;
  const whole = (<usize>(k & ~3)) << 2;
  const end = (<usize>k) << 2;
  for (let i: usize = 0; i < whole; i += 16) {
    const value = v128.load(x + i);
    sum0 = madd(value, v128.load(w + i), sum0);
    sum1 = madd(value, v128.load(w1 + i), sum1);
    sum2 = madd(value, v128.load(w2 + i), sum2);
    sum3 = madd(value, v128.load(w3 + i), sum3);
  }
  let y0 = lanesSum(sum0);
  let y1 = lanesSum(sum1);
  let y2 = lanesSum(sum2);
  let y3 = lanesSum(sum3);
  for (let i = whole; i < end; i += 4) {
    const value = load<f32>(x + i);
    y0 += value * load<f32>(w + i);
    y1 += value * load<f32>(w1 + i);
    y2 += value * load<f32>(w2 + i);
    y3 += value * load<f32>(w3 + i);
  }
  store<f32>(y, y0);
  store<f32>(y, y1, 4);
  store<f32>(y, y2, 8);
  store<f32>(y, y3, 12);
}

function dotOne(x: usize, w: usize, k: i32): f32 {
  let sum = f32x4.splat(0);
  const whole = (<usize>(k & ~3)) << 2;
  const end = (<usize>k) << 2;
  for (let i: usize = 0; i < whole; i += 16) sum = madd(v128.load(x + i), v128.load(w + i), sum);
  let y = lanesSum(sum);
  for (let i = whole; i < end; i += 4) y += load<f32>(x + i) * load<f32>(w + i);
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
  for (let j = from; j < to; j += 4) {
    const rows = w + <usize>j * step;
    const count = min(4, to - j);
    for (let r = 0; r < m; r++) {
      const values = x + <usize>r * step;
      const at = y + <usize>r * yStep + ((<usize>j) << 2);
      if (count === 4) dotFour(values, rows, step, k, at);
      else {
        for (let i = 0; i < count; i++) {
          store<f32>(at + ((<usize>i) << 2), dotOne(values, rows + <usize>i * step, k));
        }
      }
      if (bias) {
        for (let i = 0; i < count; i++) {
          const one = (<usize>i) << 2;
          store<f32>(at + one, load<f32>(at + one) + load<f32>(bias + ((<usize>j) << 2) + one));
        }
      }
    }
  }
}

/** Up to so many rows are worth it. */
export const MATVEC_ROWS: i32 = 8;
/** Reading a value of the matrix takes as long as so many operations. */
const READ: f64 = 16;

/**
 * `y[m][n] = x[m][k] · w + bias` for a few rows x and one matrix w of [k][n]; then
 * `activated = activation(y) + residual` if it is asked for, as `matmul` does.
 *
 * @param transposed whether w lies as [n][k]
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
): void {
  begin(MATVEC);
  put(x);
  put(<usize>m);
  put(<usize>k);
  put(w);
  put(<usize>transposed);
  put(<usize>n);
  put(bias);
  put(y);
  put(<usize>activation);
  put(residual);
  put(activated);
  launch(partsFor((READ + 2.0 * <f64>m) * <f64>n * <f64>k));
}

/** A part is some of the columns of y. */
export function matvecPart(part: i32, parts: i32): void {
  const m = <i32>argument(1);
  const k = <i32>argument(2);
  const n = <i32>argument(5);
  const y = argument(7);
  const from = first(n, part, parts, 16);
  const to = first(n, part + 1, parts, 16);
  if (argument(4)) rowsRange(argument(0), m, k, argument(3), n, argument(6), y, from, to);
  else columnsRange(argument(0), m, k, argument(3), n, argument(6), y, from, to);
  finishColumns(y, m, n, from, to, <i32>argument(8), argument(9), argument(10));
}
