/**
 * The inner products of the matrix kernels: one small block of the result in registers each. They are functions of
 * their own, which engines optimise early, and not unrolled, which costs speed.
 */
import { madd } from './vector';

/** Rows of a block, and of a packed panel of the left side. */
export const ROWS: i32 = 6;
/** Columns of a block, and of a packed panel of the right side. */
export const COLUMNS: i32 = 8;

/**
 * `c[6][8] = start[6][8] + a · b` for a packed panel `a` of [k][6] and `b` of [k][8].
 *
 * @param bStep bytes from a row of `b` to the next
 * @param startStep bytes from a row of `start` to the next: 0 adds one row, a bias, to all
 */
export function tile(
  a: usize,
  b: usize,
  k: i32,
  bStep: usize,
  start: usize,
  startStep: usize,
  c: usize,
  cStep: usize,
): void {
  let s = start;
  let c00 = v128.load(s);
  let c01 = v128.load(s, 16);
  s += startStep;
  let c10 = v128.load(s);
  let c11 = v128.load(s, 16);
  s += startStep;
  let c20 = v128.load(s);
  let c21 = v128.load(s, 16);
  s += startStep;
  let c30 = v128.load(s);
  let c31 = v128.load(s, 16);
  s += startStep;
  let c40 = v128.load(s);
  let c41 = v128.load(s, 16);
  s += startStep;
  let c50 = v128.load(s);
  let c51 = v128.load(s, 16);
  for (let i = 0; i < k; i++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load_splat<f32>(a);
    c00 = madd(a0, b0, c00);
    c01 = madd(a0, b1, c01);
    const a1 = v128.load_splat<f32>(a, 4);
    c10 = madd(a1, b0, c10);
    c11 = madd(a1, b1, c11);
    const a2 = v128.load_splat<f32>(a, 8);
    c20 = madd(a2, b0, c20);
    c21 = madd(a2, b1, c21);
    const a3 = v128.load_splat<f32>(a, 12);
    c30 = madd(a3, b0, c30);
    c31 = madd(a3, b1, c31);
    const a4 = v128.load_splat<f32>(a, 16);
    c40 = madd(a4, b0, c40);
    c41 = madd(a4, b1, c41);
    const a5 = v128.load_splat<f32>(a, 20);
    c50 = madd(a5, b0, c50);
    c51 = madd(a5, b1, c51);
    a += 24;
    b += bStep;
  }
  s = c;
  v128.store(s, c00);
  v128.store(s, c01, 16);
  s += cStep;
  v128.store(s, c10);
  v128.store(s, c11, 16);
  s += cStep;
  v128.store(s, c20);
  v128.store(s, c21, 16);
  s += cStep;
  v128.store(s, c30);
  v128.store(s, c31, 16);
  s += cStep;
  v128.store(s, c40);
  v128.store(s, c41, 16);
  s += cStep;
  v128.store(s, c50);
  v128.store(s, c51, 16);
}

/**
 * `c[6][8] += a · b` for a panel `b` of [k][8] and six keys of the strips that k queries make, eight in each: row r and
 * column i of `a` stand at `a + (i / 8) · aStep + (8 · r + i % 8) · 4`.
 */
export function stripTile(a: usize, aStep: usize, b: usize, k: i32, c: usize, cStep: usize): void {
  let s = c;
  let c00 = v128.load(s);
  let c01 = v128.load(s, 16);
  s += cStep;
  let c10 = v128.load(s);
  let c11 = v128.load(s, 16);
  s += cStep;
  let c20 = v128.load(s);
  let c21 = v128.load(s, 16);
  s += cStep;
  let c30 = v128.load(s);
  let c31 = v128.load(s, 16);
  s += cStep;
  let c40 = v128.load(s);
  let c41 = v128.load(s, 16);
  s += cStep;
  let c50 = v128.load(s);
  let c51 = v128.load(s, 16);
  for (; k > 0; k -= COLUMNS) {
    const end = b + ((<usize>min(k, COLUMNS)) << 5);
    for (; b < end; b += 32) {
      const b0 = v128.load(b);
      const b1 = v128.load(b, 16);
      const a0 = v128.load_splat<f32>(a);
      c00 = madd(a0, b0, c00);
      c01 = madd(a0, b1, c01);
      const a1 = v128.load_splat<f32>(a, 32);
      c10 = madd(a1, b0, c10);
      c11 = madd(a1, b1, c11);
      const a2 = v128.load_splat<f32>(a, 64);
      c20 = madd(a2, b0, c20);
      c21 = madd(a2, b1, c21);
      const a3 = v128.load_splat<f32>(a, 96);
      c30 = madd(a3, b0, c30);
      c31 = madd(a3, b1, c31);
      const a4 = v128.load_splat<f32>(a, 128);
      c40 = madd(a4, b0, c40);
      c41 = madd(a4, b1, c41);
      const a5 = v128.load_splat<f32>(a, 160);
      c50 = madd(a5, b0, c50);
      c51 = madd(a5, b1, c51);
      a += 4;
    }
    a += aStep - 32;
  }
  s = c;
  v128.store(s, c00);
  v128.store(s, c01, 16);
  s += cStep;
  v128.store(s, c10);
  v128.store(s, c11, 16);
  s += cStep;
  v128.store(s, c20);
  v128.store(s, c21, 16);
  s += cStep;
  v128.store(s, c30);
  v128.store(s, c31, 16);
  s += cStep;
  v128.store(s, c40);
  v128.store(s, c41, 16);
  s += cStep;
  v128.store(s, c50);
  v128.store(s, c51, 16);
}

/** Copies `rows` rows of `columns` floats. */
export function copyBlock(
  to: usize,
  toStep: usize,
  from: usize,
  fromStep: usize,
  rows: i32,
  columns: i32,
): void {
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < columns; i++) store<f32>(to + (i << 2), load<f32>(from + (i << 2)));
    to += toStep;
    from += fromStep;
  }
}
