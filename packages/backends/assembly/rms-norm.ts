/**
 * Root-mean-square normalisation over rows of `width` floats by `offset + gain` (Zhang & Sennrich, arXiv:1910.07467),
 * and the gradient of its input.
 */
import { RMS_NORM, RMS_NORM_GRADIENT } from './jobs';
import { squaredDeviations } from './reductions';
import { argument, begin, first, floatArgument, launch, partsFor, put, putFloat } from './threads';
import { lanesSum, loadSome, madd, storeSome } from './vector';

/** Work for each float. */
const COST: f64 = 10;

function scaled(x: v128, inverse: v128, gain: v128, offset: v128): v128 {
  return f32x4.mul(f32x4.mul(x, inverse), f32x4.add(gain, offset));
}

function rmsNormRows(
  x: usize,
  gain: usize,
  offset: f32,
  eps: f32,
  width: i32,
  out: usize,
  inverses: usize,
  from: i32,
  to: i32,
): void {
  const offsets = f32x4.splat(offset);
  const rest = width & 3;
  const whole = (<usize>(width - rest)) << 2;
  for (let r = from; r < to; r++) {
    const row = (<usize>r * <usize>width) << 2;
    const inverse = <f32>1 / sqrt<f32>(squaredDeviations(x + row, width, 0) / <f32>width + eps);
    const scale = f32x4.splat(inverse);
    for (let at: usize = 0; at < whole; at += 16) {
      v128.store(out + row + at, scaled(v128.load(x + row + at), scale, v128.load(gain + at), offsets));
    }
    if (rest > 0) {
      const end = scaled(loadSome(x + row + whole, rest), scale, loadSome(gain + whole, rest), offsets);
      storeSome(out + row + whole, end, rest);
    }
    store<f32>(inverses + ((<usize>r) << 2), inverse);
  }
}

/** The normalised rows, and 1 / √(mean(x²) + eps) of each. */
export function rmsNorm(
  x: usize,
  gain: usize,
  offset: f32,
  eps: f32,
  rows: i32,
  width: i32,
  out: usize,
  inverses: usize,
): void {
  begin(RMS_NORM);
  put(x);
  put(gain);
  putFloat(offset);
  putFloat(eps);
  put(<usize>rows);
  put(<usize>width);
  put(out);
  put(inverses);
  launch(partsFor(COST * <f64>rows * <f64>width));
}

export function rmsNormPart(part: i32, parts: i32): void {
  const rows = <i32>argument(4);
  rmsNormRows(
    argument(0),
    argument(1),
    floatArgument(2),
    floatArgument(3),
    <i32>argument(5),
    argument(6),
    argument(7),
    first(rows, part, parts),
    first(rows, part + 1, parts),
  );
}

/** Σ dy · (offset + gain) · x of one row. */
function weightedProduct(dy: usize, x: usize, gain: usize, offset: v128, width: i32): f32 {
  let a = f32x4.splat(0);
  let b = a;
  let i = 0;
  for (; i + 8 <= width; i += 8) {
    const at = (<usize>i) << 2;
    const g0 = f32x4.mul(v128.load(dy + at), f32x4.add(v128.load(gain + at), offset));
    const g1 = f32x4.mul(v128.load(dy + at, 16), f32x4.add(v128.load(gain + at, 16), offset));
    a = madd(g0, v128.load(x + at), a);
    b = madd(g1, v128.load(x + at, 16), b);
  }
  for (; i < width; i += 4) {
    const at = (<usize>i) << 2;
    const g = f32x4.mul(loadSome(dy + at, width - i), f32x4.add(loadSome(gain + at, width - i), offset));
    a = madd(g, loadSome(x + at, width - i), a);
  }
  return lanesSum(f32x4.add(a, b));
}

/** `(dy · (offset + gain) − x · along) · inverse`. */
function remainder(dy: v128, gain: v128, offset: v128, x: v128, along: v128, inverse: v128): v128 {
  return f32x4.mul(f32x4.sub(f32x4.mul(dy, f32x4.add(gain, offset)), f32x4.mul(x, along)), inverse);
}

/** `dx = (g − x · mean(g·x)/rms²) / rms` with `g = dy · (offset + gain)`. */
function rmsNormGradientRows(
  dy: usize,
  x: usize,
  gain: usize,
  inverses: usize,
  offset: f32,
  width: i32,
  dx: usize,
  from: i32,
  to: i32,
): void {
  const offsets = f32x4.splat(offset);
  const rest = width & 3;
  const whole = (<usize>(width - rest)) << 2;
  for (let r = from; r < to; r++) {
    const row = (<usize>r * <usize>width) << 2;
    const inverse = load<f32>(inverses + ((<usize>r) << 2));
    const product = weightedProduct(dy + row, x + row, gain, offsets, width);
    const along = f32x4.splat((product * inverse * inverse) / <f32>width);
    const scale = f32x4.splat(inverse);
    for (let at: usize = 0; at < whole; at += 16) {
      const g = v128.load(dy + row + at);
      const value = remainder(g, v128.load(gain + at), offsets, v128.load(x + row + at), along, scale);
      v128.store(dx + row + at, value);
    }
    if (rest > 0) {
      const g = loadSome(dy + row + whole, rest);
      const last = loadSome(x + row + whole, rest);
      storeSome(
        dx + row + whole,
        remainder(g, loadSome(gain + whole, rest), offsets, last, along, scale),
        rest,
      );
    }
  }
}

export function rmsNormGradient(
  dy: usize,
  x: usize,
  gain: usize,
  inverses: usize,
  offset: f32,
  rows: i32,
  width: i32,
  dx: usize,
): void {
  begin(RMS_NORM_GRADIENT);
  put(dy);
  put(x);
  put(gain);
  put(inverses);
  putFloat(offset);
  put(<usize>rows);
  put(<usize>width);
  put(dx);
  launch(partsFor(COST * <f64>rows * <f64>width));
}

export function rmsNormGradientPart(part: i32, parts: i32): void {
  const rows = <i32>argument(5);
  rmsNormGradientRows(
    argument(0),
    argument(1),
    argument(2),
    argument(3),
    floatArgument(4),
    <i32>argument(6),
    argument(7),
    first(rows, part, parts),
    first(rows, part + 1, parts),
  );
}
