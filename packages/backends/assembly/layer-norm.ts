/** Layer normalisation over rows of `width` floats (Ba et al., arXiv:1607.06450), and its gradients. */
import { lanesSum } from './vector';

function rowSum(x: usize, width: i32): f32 {
  let sums = f32x4.splat(0);
  const wholeEnd = x + ((<usize>(width & ~3)) << 2);
  for (; x < wholeEnd; x += 16) sums = f32x4.add(sums, v128.load(x));
  let sum = lanesSum(sums);
  for (let i = width & 3; i > 0; i--) {
    sum += load<f32>(x);
    x += 4;
  }
  return sum;
}

/** Σ (x − mean)². */
function squaredDeviations(x: usize, width: i32, mean: f32): f32 {
  const means = f32x4.splat(mean);
  let sums = f32x4.splat(0);
  const wholeEnd = x + ((<usize>(width & ~3)) << 2);
  for (; x < wholeEnd; x += 16) {
    const centered = f32x4.sub(v128.load(x), means);
    sums = f32x4.add(sums, f32x4.mul(centered, centered));
  }
  let sum = lanesSum(sums);
  for (let i = width & 3; i > 0; i--) {
    const centered = load<f32>(x) - mean;
    sum += centered * centered;
    x += 4;
  }
  return sum;
}

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
  const step = (<usize>width) << 2;
  for (let r = 0; r < rows; r++) {
    const mean = rowSum(x, width) / <f32>width;
    const inverse = <f32>1 / sqrt<f32>(squaredDeviations(x, width, mean) / <f32>width + eps);
    scaleRow(x, gain, bias, width, mean, inverse, out);
    store<f32>(means, mean);
    store<f32>(inverses, inverse);
    means += 4;
    inverses += 4;
    x += step;
    out += step;
  }
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
  let sum = lanesSum(sums);
  let product = lanesSum(products);
  for (let i = whole; i < end; i += 4) {
    const g = load<f32>(dy + i) * load<f32>(gain + i);
    sum += g;
    product += g * (load<f32>(x + i) - mean);
  }
  const shift = sum / <f32>width;
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
  const step = (<usize>width) << 2;
  for (let r = 0; r < rows; r++) {
    gradientRow(dy, x, gain, width, load<f32>(means), load<f32>(inverses), dx);
    means += 4;
    inverses += 4;
    dy += step;
    x += step;
    dx += step;
  }
}

/** `dGain = Σ over rows of dy · (x − mean) / σ`. `dGain` must be zeros. */
export function layerNormGainGradient(
  dy: usize,
  x: usize,
  means: usize,
  inverses: usize,
  rows: i32,
  width: i32,
  dGain: usize,
): void {
  const whole = (<usize>(width & ~3)) << 2;
  const end = (<usize>width) << 2;
  for (let r = 0; r < rows; r++) {
    const mean = load<f32>(means);
    const inverse = load<f32>(inverses);
    const meanLanes = f32x4.splat(mean);
    const inverseLanes = f32x4.splat(inverse);
    for (let i: usize = 0; i < whole; i += 16) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + i), meanLanes), inverseLanes);
      v128.store(dGain + i, f32x4.add(v128.load(dGain + i), f32x4.mul(v128.load(dy + i), normal)));
    }
    for (let i = whole; i < end; i += 4) {
      const normal = (load<f32>(x + i) - mean) * inverse;
      store<f32>(dGain + i, load<f32>(dGain + i) + load<f32>(dy + i) * normal);
    }
    means += 4;
    inverses += 4;
    dy += end;
    x += end;
  }
}
