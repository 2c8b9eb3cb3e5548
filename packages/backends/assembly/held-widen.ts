/** Panels of held weights as float32: the packed right side [inputs][8] of the matrix kernels. */
import { FLOAT16, GROUP, groupBytes, isGrouped, Q4, Q8, SCALES } from './held-format';

/** Eight bfloat16 are the upper halves of eight float32. */
export function bfloatLow(words: v128): v128 {
  return i32x4.shl(words, 16);
}

export function bfloatHigh(words: v128): v128 {
  return v128.and(words, i32x4.splat(0xffff0000));
}

/**
 * Four float16 with their exponents moved into place, but not to float32's bias: 2^112 too small, and exact even where
 * they are subnormal. Who uses them multiplies.
 */
export function halfLow(words: v128): v128 {
  return halfHigh(i32x4.shl(words, 16));
}

export function halfHigh(words: v128): v128 {
  return v128.and(i32x4.shr_s(words, 3), i32x4.splat(0x8fffe000));
}

/** 2^112 in two steps, so that nothing overflows or gets lost on the way. */
export const HALF_STEP: f32 = 72057594037927940;

function widenBfloat16(from: usize, to: usize, count: i32): void {
  const end = to + ((<usize>count) << 5);
  for (; to < end; to += 32) {
    const words = v128.load(from);
    v128.store(to, bfloatLow(words));
    v128.store(to, bfloatHigh(words), 16);
    from += 16;
  }
}

function widenFloat16(from: usize, to: usize, count: i32): void {
  const step = f32x4.splat(HALF_STEP);
  const end = to + ((<usize>count) << 5);
  for (; to < end; to += 32) {
    const words = v128.load(from);
    v128.store(to, f32x4.mul(f32x4.mul(halfLow(words), step), step));
    v128.store(to, f32x4.mul(f32x4.mul(halfHigh(words), step), step), 16);
    from += 16;
  }
}

function widenQ8(from: usize, to: usize): void {
  const scale0 = v128.load(from);
  const scale1 = v128.load(from, 16);
  from += SCALES;
  for (let i = 0; i < GROUP; i += 4) {
    const codes0 = v128.load(from);
    const codes1 = v128.load(from, 16);
    for (let left = 24; left >= 0; left -= 8) {
      const values0 = i32x4.shr_s(i32x4.shl(codes0, left), 24);
      const values1 = i32x4.shr_s(i32x4.shl(codes1, left), 24);
      v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(values0), scale0));
      v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(values1), scale1), 16);
      to += 32;
    }
    from += 32;
  }
}

/** Of each word the code that begins at bit `right`. */
function widened(codes: v128, right: i32, zero: v128, scale: v128, minimum: v128): v128 {
  const code = i32x4.sub(v128.and(i32x4.shr_u(codes, right), i32x4.splat(15)), zero);
  return f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(code), scale), minimum);
}

function widenQ4(from: usize, to: usize): void {
  // Unlike 0, it leaves a negative zero as it is.
  const none = f32x4.splat(-0.0);
  widenNibbles(from, from + SCALES, i32x4.splat(8), none, none, to);
}

function widenQ41(from: usize, to: usize): void {
  const minimums = from + SCALES;
  const codes = minimums + SCALES;
  widenNibbles(from, codes, i32x4.splat(0), v128.load(minimums), v128.load(minimums, 16), to);
}

/** `scale · (code − zero) + minimum` of eight outputs. */
function widenNibbles(
  scales: usize,
  from: usize,
  zero: v128,
  minimum0: v128,
  minimum1: v128,
  to: usize,
): void {
  const scale0 = v128.load(scales);
  const scale1 = v128.load(scales, 16);
  for (let i = 0; i < GROUP; i += 8) {
    const codes0 = v128.load(from);
    const codes1 = v128.load(from, 16);
    for (let right = 0; right < 32; right += 8) {
      v128.store(to, widened(codes0, right, zero, scale0, minimum0));
      v128.store(to, widened(codes1, right, zero, scale1, minimum1), 16);
      v128.store(to, widened(codes0, right + 4, zero, scale0, minimum0), 128);
      v128.store(to, widened(codes1, right + 4, zero, scale1, minimum1), 144);
      to += 32;
    }
    to += 128;
    from += 32;
  }
}

/**
 * Inputs `first` to `first + count` of a panel, as float32[count][8]. Of a grouped type `first` begins a group, and the
 * last one is written whole: up to 31 rows more.
 */
export function widenPanel(type: i32, panel: usize, first: i32, count: i32, to: usize): void {
  if (!isGrouped(type)) {
    const from = panel + ((<usize>first) << 4);
    if (type === FLOAT16) widenFloat16(from, to, count);
    else widenBfloat16(from, to, count);
    return;
  }
  const bytes = groupBytes(type);
  let from = panel + <usize>(first / GROUP) * bytes;
  for (let i = 0; i < count; i += GROUP) {
    if (type === Q8) widenQ8(from, to);
    else if (type === Q4) widenQ4(from, to);
    else widenQ41(from, to);
    from += bytes;
    to += (<usize>GROUP) << 5;
  }
}
