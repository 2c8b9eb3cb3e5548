/** Packing: a matrix of any layout becomes panels of 6 rows, [k][6], or of 8 columns, [k][8], with zeros at the edge. */
import { COLUMNS, ROWS } from './tiles';

/** Four consecutive floats of four rows become four rows of four. */
export function transposeFour(to: usize, toStep: usize, r0: v128, r1: v128, r2: v128, r3: v128): void {
  const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
  v128.store(to + toStep, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7));
  v128.store(to + 2 * toStep, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5));
  v128.store(to + 3 * toStep, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7));
}

/** One panel of `width`, of which `count` vectors of `k` floats exist: float p of vector r lands in `to[p][r]`. */
function packEdge(
  to: usize,
  from: usize,
  vectorStep: usize,
  innerStep: usize,
  count: i32,
  width: i32,
  k: i32,
): void {
  for (let p = 0; p < k; p++) {
    let at = from;
    for (let r = 0; r < count; r++) {
      store<f32>(to, load<f32>(at));
      to += 4;
      at += vectorStep;
    }
    for (let r = count; r < width; r++) {
      store<f32>(to, 0);
      to += 4;
    }
    from += innerStep;
  }
}

/** Six vectors that lie `step` bytes apart, each contiguous along k. */
function packSix(to: usize, from: usize, step: usize, k: i32): void {
  const whole = k & ~3;
  let p = 0;
  for (; p < whole; p += 4) {
    let at = from;
    const r0 = v128.load(at);
    at += step;
    const r1 = v128.load(at);
    at += step;
    const r2 = v128.load(at);
    at += step;
    const r3 = v128.load(at);
    at += step;
    const r4 = v128.load(at);
    const r5 = v128.load(at + step);
    transposeFour(to, 24, r0, r1, r2, r3);
    const low = v128.shuffle<f32>(r4, r5, 0, 4, 1, 5);
    const high = v128.shuffle<f32>(r4, r5, 2, 6, 3, 7);
    v128.store_lane<i64>(to, low, 0, 16);
    v128.store_lane<i64>(to, low, 1, 40);
    v128.store_lane<i64>(to, high, 0, 64);
    v128.store_lane<i64>(to, high, 1, 88);
    to += 96;
    from += 16;
  }
  packEdge(to, from, step, 4, ROWS, ROWS, k - p);
}

/** Eight vectors that lie `step` bytes apart, each contiguous along k. */
function packEight(to: usize, from: usize, step: usize, k: i32): void {
  const whole = k & ~3;
  let p = 0;
  for (; p < whole; p += 4) {
    let at = from;
    const r0 = v128.load(at);
    at += step;
    const r1 = v128.load(at);
    at += step;
    const r2 = v128.load(at);
    at += step;
    const r3 = v128.load(at);
    at += step;
    const r4 = v128.load(at);
    at += step;
    const r5 = v128.load(at);
    at += step;
    const r6 = v128.load(at);
    const r7 = v128.load(at + step);
    transposeFour(to, 32, r0, r1, r2, r3);
    transposeFour(to + 16, 32, r4, r5, r6, r7);
    to += 128;
    from += 16;
  }
  packEdge(to, from, step, 4, COLUMNS, COLUMNS, k - p);
}

/** Six neighbouring columns of k rows. */
function copySix(to: usize, from: usize, step: usize, k: i32): void {
  for (let p = 0; p < k; p++) {
    v128.store(to, v128.load(from));
    store<u64>(to, load<u64>(from, 16), 16);
    to += 24;
    from += step;
  }
}

/** Eight neighbouring columns of k rows. */
function copyEight(to: usize, from: usize, step: usize, k: i32): void {
  for (let p = 0; p < k; p++) {
    v128.store(to, v128.load(from));
    v128.store(to, v128.load(from, 16), 16);
    to += 32;
    from += step;
  }
}

/** Thirty-two neighbouring columns of k rows: four panels in one visit of each row, twice as fast as one by one. */
function copyFourPanels(to: usize, from: usize, step: usize, k: i32): void {
  const panel = (<usize>k) << 5;
  const second = to + panel;
  const third = second + panel;
  const fourth = third + panel;
  const end = panel;
  for (let at: usize = 0; at < end; at += 32) {
    v128.store(to + at, v128.load(from));
    v128.store(to + at, v128.load(from, 16), 16);
    v128.store(second + at, v128.load(from, 32));
    v128.store(second + at, v128.load(from, 48), 16);
    v128.store(third + at, v128.load(from, 64));
    v128.store(third + at, v128.load(from, 80), 16);
    v128.store(fourth + at, v128.load(from, 96));
    v128.store(fourth + at, v128.load(from, 112), 16);
    from += step;
  }
}

/**
 * Panels of six rows of a left side.
 *
 * @param rowStep bytes from a row to the next
 * @param innerStep bytes from a column to the next; one of the two steps is 4
 */
export function packRows(to: usize, from: usize, rowStep: usize, innerStep: usize, rows: i32, k: i32): void {
  let r = 0;
  for (; r + ROWS <= rows; r += ROWS) {
    if (innerStep === 4) packSix(to, from, rowStep, k);
    else copySix(to, from, innerStep, k);
    to += <usize>(k * 24);
    from += 6 * rowStep;
  }
  if (r < rows) packEdge(to, from, rowStep, innerStep, rows - r, ROWS, k);
}

/**
 * Panels of eight columns of a right side.
 *
 * @param columnStep bytes from a column to the next
 * @param innerStep bytes from a row to the next; one of the two steps is 4
 */
export function packColumns(
  to: usize,
  from: usize,
  columnStep: usize,
  innerStep: usize,
  columns: i32,
  k: i32,
): void {
  let c = 0;
  if (columnStep === 4) {
    for (; c + 32 <= columns; c += 32) {
      copyFourPanels(to, from, innerStep, k);
      to += (<usize>k) << 7;
      from += 128;
    }
  }
  for (; c + COLUMNS <= columns; c += COLUMNS) {
    if (columnStep === 4) copyEight(to, from, innerStep, k);
    else packEight(to, from, columnStep, k);
    to += (<usize>k) << 5;
    from += 8 * columnStep;
  }
  if (c < columns) packEdge(to, from, columnStep, innerStep, columns - c, COLUMNS, k);
}
