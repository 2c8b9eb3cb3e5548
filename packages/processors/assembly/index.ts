/** The two passes of a resize, over bytes in this module's own memory. What they compute is `../src/resize/passes.ts`. */

/** Fraction bits of a weight. */
const PRECISION: i32 = 22;

/** Four sums in fixed point, each as a byte. */
function bytesOf(sums: v128): v128 {
  const whole = i32x4.shr_s(sums, PRECISION);
  const halves = i16x8.narrow_i32x4_s(whole, whole);
  return i8x16.narrow_i16x8_u(halves, halves);
}

/** Four bytes as integers. */
function fourAt(at: usize): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at)));
}

/**
 * uint8[rows, width, 3] to uint8[rows, outputs, 3]. Pixels are read and written as four bytes, so both need a byte
 * behind their end.
 *
 * @param starts int32[outputs], the first input of each output; `counts` alike, the number of its inputs.
 * @param weights int32[outputs, stride]
 */
export function acrossRows(
  to: usize,
  from: usize,
  rows: i32,
  width: i32,
  outputs: i32,
  starts: usize,
  counts: usize,
  weights: usize,
  stride: i32,
): void {
  const half = i32x4.splat(1 << (PRECISION - 1));
  for (let row = 0; row < rows; row++) {
    let weight = weights;
    for (let i = 0; i < outputs; i++) {
      const offset = (<usize>i) << 2;
      let pixel = from + 3 * <usize>load<i32>(starts + offset);
      const end = weight + ((<usize>load<i32>(counts + offset)) << 2);
      let even = half;
      let odd = i32x4.splat(0);
      let at = weight;
      for (; at + 4 < end; at += 8) {
        even = i32x4.add(even, i32x4.mul(fourAt(pixel), v128.load32_splat(at)));
        odd = i32x4.add(odd, i32x4.mul(fourAt(pixel + 3), v128.load32_splat(at, 4)));
        pixel += 6;
      }
      if (at < end) even = i32x4.add(even, i32x4.mul(fourAt(pixel), v128.load32_splat(at)));
      v128.store32_lane(to, bytesOf(i32x4.add(even, odd)), 0);
      to += 3;
      weight += (<usize>stride) << 2;
    }
    from += 3 * <usize>width;
  }
}
