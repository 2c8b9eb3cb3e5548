/** Eight outputs of a panel for one row or a few rows of x, read straight from the held form. */
import { CODED_GROUP, HEADER } from './held-activations';
import { GROUP, Q4_CODES, Q8_CODES, SCALES } from './held-format';
import { bfloatHigh, bfloatLow, HALF_STEP, halfHigh, halfLow } from './held-widen';
import { madd } from './vector';

/** `y[8] = panel · x`. Two inputs at a time, so that no sum waits for the one before it. */
export function bfloatDots(panel: usize, x: usize, inputs: i32, y: usize): void {
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  let odd0 = sum0;
  let odd1 = sum0;
  const end = x + ((<usize>(inputs & ~1)) << 2);
  for (; x < end; x += 8) {
    const words = v128.load(panel);
    const next = v128.load(panel, 16);
    const value = v128.load_splat<f32>(x);
    const nextValue = v128.load_splat<f32>(x, 4);
    sum0 = madd(value, bfloatLow(words), sum0);
    sum1 = madd(value, bfloatHigh(words), sum1);
    odd0 = madd(nextValue, bfloatLow(next), odd0);
    odd1 = madd(nextValue, bfloatHigh(next), odd1);
    panel += 32;
  }
  if (inputs & 1) {
    const words = v128.load(panel);
    const value = v128.load_splat<f32>(x);
    sum0 = madd(value, bfloatLow(words), sum0);
    sum1 = madd(value, bfloatHigh(words), sum1);
  }
  v128.store(y, f32x4.add(sum0, odd0));
  v128.store(y, f32x4.add(sum1, odd1), 16);
}

/** The same for four rows of x, `xStep` bytes apart, to four rows of y, which widens once for all. */
export function bfloatDotsOfFour(
  panel: usize,
  x: usize,
  xStep: usize,
  inputs: i32,
  y: usize,
  yStep: usize,
): void {
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let b0 = a0;
  let b1 = a0;
  let c0 = a0;
  let c1 = a0;
  let d0 = a0;
  let d1 = a0;
  const xb = x + xStep;
  const xc = xb + xStep;
  const xd = xc + xStep;
  const end = (<usize>inputs) << 2;
  for (let i: usize = 0; i < end; i += 4) {
    const words = v128.load(panel);
    const low = bfloatLow(words);
    const high = bfloatHigh(words);
    const va = v128.load_splat<f32>(x + i);
    a0 = madd(va, low, a0);
    a1 = madd(va, high, a1);
    const vb = v128.load_splat<f32>(xb + i);
    b0 = madd(vb, low, b0);
    b1 = madd(vb, high, b1);
    const vc = v128.load_splat<f32>(xc + i);
    c0 = madd(vc, low, c0);
    c1 = madd(vc, high, c1);
    const vd = v128.load_splat<f32>(xd + i);
    d0 = madd(vd, low, d0);
    d1 = madd(vd, high, d1);
    panel += 16;
  }
  v128.store(y, a0);
  v128.store(y, a1, 16);
  y += yStep;
  v128.store(y, b0);
  v128.store(y, b1, 16);
  y += yStep;
  v128.store(y, c0);
  v128.store(y, c1, 16);
  y += yStep;
  v128.store(y, d0);
  v128.store(y, d1, 16);
}

export function halfDots(panel: usize, x: usize, inputs: i32, y: usize): void {
  const step = f32x4.splat(HALF_STEP);
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  const end = x + ((<usize>inputs) << 2);
  for (; x < end; x += 4) {
    const words = v128.load(panel);
    const value = f32x4.mul(v128.load_splat<f32>(x), step);
    sum0 = madd(value, halfLow(words), sum0);
    sum1 = madd(value, halfHigh(words), sum1);
    panel += 16;
  }
  v128.store(y, f32x4.mul(sum0, step));
  v128.store(y, f32x4.mul(sum1, step), 16);
}

/** Σ of neighbouring lanes of two vectors. */
function pairSums(a: v128, b: v128): v128 {
  return i32x4.add(v128.shuffle<i32>(a, b, 0, 2, 4, 6), v128.shuffle<i32>(a, b, 1, 3, 5, 7));
}

/** A word of codes of x, in all lanes. */
function word(at: usize): v128 {
  return v128.load_splat<i32>(at);
}

/** 4 codes of x, of 16 bits, twice. */
function words(at: usize): v128 {
  return v128.load_splat<i64>(at);
}

/** The second operand of the relaxed product has 7 bits without a sign: that of x moves to the weight. */
function signedDot(codes: v128, sign: v128, size: v128, sum: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.sub(v128.xor(codes, sign), sign), size, sum);
}

/** `y[8] = panel · x` of q8 for a coded row x, exact within a group. */
export function q8Dots(panel: usize, x: usize, inputs: i32, y: usize): void {
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  for (let i = 0; i < inputs; i += GROUP) {
    const codes = panel + SCALES;
    let dots0 = i32x4.splat(0);
    let dots1 = dots0;
    if (ASC_FEATURE_RELAXED_SIMD) {
      const sizes = x + HEADER + 32;
      for (let c: usize = 0; c < 32; c += 4) {
        const size = word(sizes + c);
        const sign = v128.load_splat<i32>(sizes + c, 32);
        const at = codes + (c << 3);
        dots0 = signedDot(v128.load(at), sign, size, dots0);
        dots1 = signedDot(v128.load(at, 16), sign, size, dots1);
      }
    } else {
      let low0 = dots0;
      let high0 = dots0;
      let low1 = dots0;
      let high1 = dots0;
      for (let c: usize = 0; c < 32; c += 4) {
        const values = words(x + HEADER + (c << 1));
        const first = v128.load(codes + (c << 3));
        const second = v128.load(codes + (c << 3), 16);
        low0 = i32x4.add(low0, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(first), values));
        high0 = i32x4.add(high0, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(first), values));
        low1 = i32x4.add(low1, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(second), values));
        high1 = i32x4.add(high1, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(second), values));
      }
      dots0 = pairSums(low0, high0);
      dots1 = pairSums(low1, high1);
    }
    const scale = v128.load_splat<f32>(x);
    sum0 = madd(f32x4.convert_i32x4_s(dots0), f32x4.mul(scale, v128.load(panel)), sum0);
    sum1 = madd(f32x4.convert_i32x4_s(dots1), f32x4.mul(scale, v128.load(panel, 16)), sum1);
    panel += SCALES + Q8_CODES;
    x += CODED_GROUP;
  }
  v128.store(y, sum0);
  v128.store(y, sum1, 16);
}

/** `y[8] = panel · x` of q4: nibbles have no sign, and their offset of −8 is what a group's sum starts from. */
export function q4Dots(panel: usize, x: usize, inputs: i32, y: usize): void {
  nibbleDots(panel, x, inputs, y, false);
}

/** The same of q4_1, whose minimums are multiplied by the sum of a group of x. */
export function q41Dots(panel: usize, x: usize, inputs: i32, y: usize): void {
  nibbleDots(panel, x, inputs, y, true);
}

function nibbleDots(panel: usize, x: usize, inputs: i32, y: usize, hasMinimums: bool): void {
  const mask = i8x16.splat(15);
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  for (let i = 0; i < inputs; i += GROUP) {
    const codes = panel + (hasMinimums ? 2 * SCALES : SCALES);
    const start = hasMinimums ? i32x4.splat(0) : v128.load_splat<i32>(x, 4);
    let dots0 = start;
    let dots1 = start;
    if (ASC_FEATURE_RELAXED_SIMD) {
      for (let c: usize = 0; c < 32; c += 8) {
        const low = word(x + HEADER + c);
        const high = v128.load_splat<i32>(x + HEADER + c, 4);
        const first = v128.load(codes + (c << 2));
        const second = v128.load(codes + (c << 2), 16);
        dots0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(low, v128.and(first, mask), dots0);
        dots1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(low, v128.and(second, mask), dots1);
        dots0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, i8x16.shr_u(first, 4), dots0);
        dots1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, i8x16.shr_u(second, 4), dots1);
      }
    } else {
      const zero = i32x4.splat(0);
      let low0 = zero;
      let high0 = zero;
      let low1 = zero;
      let high1 = zero;
      for (let c: usize = 0; c < 32; c += 8) {
        const at = codes + (c << 2);
        for (let half: i32 = 0; half < 2; half++) {
          const values = words(x + HEADER + (c << 1) + ((<usize>half) << 3));
          const first = v128.and(i32x4.shr_u(v128.load(at), half << 2), mask);
          const second = v128.and(i32x4.shr_u(v128.load(at, 16), half << 2), mask);
          low0 = i32x4.add(low0, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(first), values));
          high0 = i32x4.add(high0, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(first), values));
          low1 = i32x4.add(low1, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(second), values));
          high1 = i32x4.add(high1, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(second), values));
        }
      }
      dots0 = i32x4.add(start, pairSums(low0, high0));
      dots1 = i32x4.add(start, pairSums(low1, high1));
    }
    const scale = v128.load_splat<f32>(x);
    sum0 = madd(f32x4.convert_i32x4_s(dots0), f32x4.mul(scale, v128.load(panel)), sum0);
    sum1 = madd(f32x4.convert_i32x4_s(dots1), f32x4.mul(scale, v128.load(panel, 16)), sum1);
    if (hasMinimums) {
      const total = v128.load_splat<f32>(x, 8);
      sum0 = madd(total, v128.load(panel, SCALES), sum0);
      sum1 = madd(total, v128.load(panel, SCALES + 16), sum1);
    }
    panel = codes + Q4_CODES;
    x += CODED_GROUP;
  }
  v128.store(y, sum0);
  v128.store(y, sum1, 16);
}
