/** Layer normalisation over rows of `width` floats (Ba et al., arXiv:1607.06450), and the gradient of its input. */
import { LAYER_NORM, LAYER_NORM_GRADIENT } from './jobs';
import { squaredDeviations, sum } from './reductions';
import { argument, begin, first, floatArgument, launch, partsFor, put, putFloat } from './threads';
import { lanesSum } from './vector';

/** Work for each float. */
const COST: f64 = 10;

/** `(x − mean) · inverse · gain + bias` for one row; `bias` may be 0. */
function scaleRow(x: usize, gain: usize, bias: usize, width: i32, mean: f32, inverse: f32, out: usize): void {
  const means = f32x4.splat(mean);
  const inverses = f32x4.splat(inverse);
  const whole = (<usize>(width & ~3)) << 2;
  const end = (<usize>width) << 2;
  for (let i: usize = 0; i < whole; i += 16) {
    const scaled = f32x4.mul(f32x4.mul(f32x4.sub(v128.load(x + i), means), inverses), v128.load(gain + i));
    v128.store(out + i, bias ? f32x4.add(scaled, v128.load(bias + i)) : scaled);
  }
  for (let i = whole; i < end; i += 4) {
    const scaled = (load<f32>(x + i) - mean) * inverse * load<f32>(gain + i);
    store<f32>(out + i, bias ? scaled + load<f32>(bias + i) : scaled);
  }
}

function layerNormRows(
  x: usize,
  gain: usize,
  bias: usize,
  eps: f32,
  width: i32,
  out: usize,
  means: usize,
  inverses: usize,
  from: i32,
  to: i32,
): void {
  for (let r = from; r < to; r++) {
    const row = (<usize>r * <usize>width) << 2;
    const mean = sum(x + row, width) / <f32>width;
    const inverse = <f32>1 / sqrt<f32>(squaredDeviations(x + row, width, mean) / <f32>width + eps);
    scaleRow(x + row, gain, bias, width, mean, inverse, out + row);
    store<f32>(means + ((<usize>r) << 2), mean);
    store<f32>(inverses + ((<usize>r) << 2), inverse);
  }
}

/** The normalised rows, and the mean and 1 / √(variance + eps) of each. */
export function layerNorm(
  x: usize,
  gain: usize,
  bias: usize,
  eps: f32,
  rows: i32,
  width: i32,
  out: usize,
  means: usize,
  inverses: usize,
): void {
  begin(LAYER_NORM);
  put(x);
  put(gain);
  put(bias);
  putFloat(eps);
  put(<usize>rows);
  put(<usize>width);
  put(out);
  put(means);
  put(inverses);
  launch(partsFor(COST * <f64>rows * <f64>width));
}

export function layerNormPart(part: i32, parts: i32): void {
  const rows = <i32>argument(4);
  layerNormRows(
    argument(0),
    argument(1),
    argument(2),
    floatArgument(3),
    <i32>argument(5),
    argument(6),
    argument(7),
    argument(8),
    first(rows, part, parts),
    first(rows, part + 1, parts),
  );
}

/** `dx = (g − mean(g) − c · mean(g·c)/σ²) / σ` with `g = dy · gain` and `c = x − mean(x)`, for one row. */
function gradientRow(dy: usize, x: usize, gain: usize, width: i32, mean: f32, inverse: f32, dx: usize): void {
  const means = f32x4.splat(mean);
  const whole = (<usize>(width & ~3)) << 2;
  const end = (<usize>width) << 2;
  let sums = f32x4.splat(0);
  let products = sums;
  for (let i: usize = 0; i < whole; i += 16) {
    const g = f32x4.mul(v128.load(dy + i), v128.load(gain + i));
    sums = f32x4.add(sums, g);
    products = f32x4.add(products, f32x4.mul(g, f32x4.sub(v128.load(x + i), means)));
  }
  let total = lanesSum(sums);
  let product = lanesSum(products);
  for (let i = whole; i < end; i += 4) {
    const g = load<f32>(dy + i) * load<f32>(gain + i);
    total += g;
    product += g * (load<f32>(x + i) - mean);
  }
  const shift = total / <f32>width;
  const along = (product * inverse * inverse) / <f32>width;
  const shifts = f32x4.splat(shift);
  const alongs = f32x4.splat(along);
  const inverses = f32x4.splat(inverse);
  for (let i: usize = 0; i < whole; i += 16) {
    const g = f32x4.mul(v128.load(dy + i), v128.load(gain + i));
    const centered = f32x4.sub(v128.load(x + i), means);
    const rest = f32x4.sub(f32x4.sub(g, shifts), f32x4.mul(centered, alongs));
    v128.store(dx + i, f32x4.mul(rest, inverses));
  }
  for (let i = whole; i < end; i += 4) {
    const g = load<f32>(dy + i) * load<f32>(gain + i);
    store<f32>(dx + i, (g - shift - (load<f32>(x + i) - mean) * along) * inverse);
  }
}

function layerNormGradientRows(
  dy: usize,
  x: usize,
  means: usize,
  inverses: usize,
  gain: usize,
  width: i32,
  dx: usize,
  from: i32,
  to: i32,
): void {
  for (let r = from; r < to; r++) {
    const row = (<usize>r * <usize>width) << 2;
    const mean = load<f32>(means + ((<usize>r) << 2));
    const inverse = load<f32>(inverses + ((<usize>r) << 2));
    gradientRow(dy + row, x + row, gain, width, mean, inverse, dx + row);
  }
}

export function layerNormGradient(
  dy: usize,
  x: usize,
  means: usize,
  inverses: usize,
  gain: usize,
  rows: i32,
  width: i32,
  dx: usize,
): void {
  begin(LAYER_NORM_GRADIENT);
  put(dy);
  put(x);
  put(means);
  put(inverses);
  put(gain);
  put(<usize>rows);
  put(<usize>width);
  put(dx);
  launch(partsFor(COST * <f64>rows * <f64>width));
}

export function layerNormGradientPart(part: i32, parts: i32): void {
  const rows = <i32>argument(5);
  layerNormGradientRows(
    argument(0),
    argument(1),
    argument(2),
    argument(3),
    argument(4),
    <i32>argument(6),
    argument(7),
    first(rows, part, parts),
    first(rows, part + 1, parts),
  );
}
