/**
 * Rows of a cache in 8 bits, as the op layer's `quantizeRows` packs them: a byte for each value, from −127 to 127, then
 * from the next whole word on a float32 scale for each group of 32, as in ggml's Q8_0.
 */
import { largest, sixteen } from './held-activations';
import { GROUP, roundUp } from './held-format';

/** Bytes of a row. */
export function packedStep(width: i32): usize {
  return <usize>(roundUp(width, 4) + (roundUp(width, GROUP) / GROUP) * 4);
}

/** Packs `x` float32[rows][width]. The scratch memory has 128 bytes. */
export function quantizeRows(x: usize, rows: i32, width: i32, to: usize, scratch: usize): void {
  const rest = width % GROUP;
  for (let r = 0; r < rows; r++) {
    let scale = to + <usize>roundUp(width, 4);
    for (let i = 0; i + GROUP <= width; i += GROUP) {
      store<f32>(scale, codeGroup(x, to + <usize>i));
      x += (<usize>GROUP) << 2;
      scale += 4;
    }
    if (rest > 0) {
      memory.fill(scratch, 0, 128);
      memory.copy(scratch, x, (<usize>rest) << 2);
      store<f32>(scale, codeGroup(scratch, scratch));
      memory.copy(to + <usize>(width - rest), scratch, <usize>rest);
      x += (<usize>rest) << 2;
    }
    to += packedStep(width);
  }
}

/** Writes the codes of 32 floats, also in their place, and returns their scale: not finite if one of them is not. */
function codeGroup(at: usize, to: usize): f32 {
  const most = largest(at);
  const inverse: f32 = 127 / most;
  // So small that its inverse overflows counts as zero, as zero does.
  const isZero = inverse === Infinity;
  const factor = f32x4.splat(isZero ? 0 : inverse);
  const codes0 = sixteen(at, factor);
  const codes1 = sixteen(at + 64, factor);
  v128.store(to, codes0);
  v128.store(to, codes1, 16);
  return isZero ? 0 : most / 127;
}

/** The values `first` to `first + count` of packed rows of `width`, as float32[rows][count]. */
export function widenRows(from: usize, rows: i32, width: i32, first: i32, count: i32, to: usize): void {
  const end = first + count;
  for (let r = 0; r < rows; r++) {
    const scales = from + <usize>roundUp(width, 4);
    let channel = first;
    while (channel < end) {
      const group = channel / GROUP;
      const size = min((group + 1) * GROUP, end) - channel;
      widenSome(from + <usize>channel, size, load<f32>(scales + ((<usize>group) << 2)), to);
      to += (<usize>size) << 2;
      channel += size;
    }
    from += packedStep(width);
  }
}

function widenSome(codes: usize, count: i32, scale: f32, to: usize): void {
  const lanes = f32x4.splat(scale);
  for (; count >= 8; count -= 8) {
    const wide = v128.load_ext<i8>(codes);
    v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(wide)), lanes));
    v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(wide)), lanes), 16);
    codes += 8;
    to += 32;
  }
  for (; count > 0; count--) {
    store<f32>(to, <f32>load<i8>(codes) * scale);
    codes++;
    to += 4;
  }
}
