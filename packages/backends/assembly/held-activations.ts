/**
 * A row of activations in 8 bits, for the integer products of q8 and q4: `x ≈ scale · code` in groups of 32, with codes
 * from −127 to 127. A group takes, one after the other: the scale (float32), −8 times the sum of its codes (int32),
 * the sum times the scale (float32), 4 unused bytes, and the codes. With relaxed SIMD these are 32 bytes of codes, of their absolute values and of their
 * signs (0 or −1); else 32 codes of 16 bits.
 */
import { GROUP, roundUp } from './held-format';

/** Bytes in front of the codes of a group. */
export const HEADER: usize = 16;
/** Bytes of a group. */
export const CODED_GROUP: usize = ASC_FEATURE_RELAXED_SIMD ? HEADER + 96 : HEADER + 64;

/** Bytes of a row. */
export function codedBytes(inputs: i32): usize {
  return <usize>(roundUp(inputs, GROUP) / GROUP) * CODED_GROUP;
}

/** Four floats times `factor`, as integers. */
function rounded(at: usize, factor: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(at), factor)));
}

/** Sixteen floats as codes. */
export function sixteen(at: usize, factor: v128): v128 {
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(rounded(at, factor), rounded(at + 16, factor)),
    i16x8.narrow_i32x4_s(rounded(at + 32, factor), rounded(at + 48, factor)),
  );
}

function storeCodes(to: usize, codes: v128, half: i32): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    const at = to + ((<usize>half) << 4);
    v128.store(at, codes);
    v128.store(at, i8x16.abs(codes), 32);
    v128.store(at, i8x16.shr_s(codes, 7), 64);
  } else {
    const at = to + ((<usize>half) << 5);
    v128.store(at, i16x8.extend_low_i8x16_s(codes));
    v128.store(at, i16x8.extend_high_i8x16_s(codes), 16);
  }
}

function sumOfCodes(codes: v128): i32 {
  const sums = i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(codes));
  return (
    i32x4.extract_lane(sums, 0) +
    i32x4.extract_lane(sums, 1) +
    i32x4.extract_lane(sums, 2) +
    i32x4.extract_lane(sums, 3)
  );
}

/** The largest absolute value of 32 floats; NaN if one of them is. */
export function largest(at: usize): f32 {
  let most = f32x4.abs(v128.load(at));
  for (let i: usize = 16; i < 128; i += 16) most = f32x4.max(most, f32x4.abs(v128.load(at + i)));
  most = f32x4.max(most, v128.shuffle<f32>(most, most, 2, 3, 0, 1));
  return max<f32>(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
}

/** False if a value is not finite. */
function codeGroup(at: usize, to: usize): bool {
  const most = largest(at);
  if (!(most < Infinity)) return false;
  const inverse: f32 = 127 / most;
  // So small that its inverse overflows counts as zero, as zero does.
  const isZero = !(inverse < Infinity);
  const factor = f32x4.splat(isZero ? 0 : inverse);
  const codes0 = sixteen(at, factor);
  const codes1 = sixteen(at + 64, factor);
  const scale: f32 = isZero ? 0 : most / 127;
  const sum = sumOfCodes(codes0) + sumOfCodes(codes1);
  store<f32>(to, scale);
  store<i32>(to, -8 * sum, 4);
  store<f32>(to, scale * <f32>sum, 8);
  storeCodes(to + HEADER, codes0, 0);
  storeCodes(to + HEADER, codes1, 1);
  return true;
}

/**
 * Codes the rows `x` float32[rows][inputs].
 *
 * @param scratch 128 bytes
 * @returns false if a value is not finite, which no code stands for
 */
export function codeRows(x: usize, rows: i32, inputs: i32, to: usize, scratch: usize): bool {
  const rest = inputs % GROUP;
  for (let r = 0; r < rows; r++) {
    for (let i = GROUP; i <= inputs; i += GROUP) {
      if (!codeGroup(x, to)) return false;
      x += (<usize>GROUP) << 2;
      to += CODED_GROUP;
    }
    if (rest === 0) continue;
    memory.fill(scratch, 0, 128);
    memory.copy(scratch, x, (<usize>rest) << 2);
    if (!codeGroup(scratch, to)) return false;
    x += (<usize>rest) << 2;
    to += CODED_GROUP;
  }
  return true;
}
