/** The parts of the gradient of attention that work on the strips of eight queries. */
import { exp } from './exponential';
import { COLUMNS } from './tiles';
import { lanesSum, madd } from './vector';

/** `Σ dy ∘ out` of each of up to eight rows. */
export function rowProducts(to: usize, dy: usize, out: usize, step: usize, count: i32, size: i32): void {
  const whole = (<usize>(size & ~3)) << 2;
  const end = (<usize>size) << 2;
  for (let i = 0; i < COLUMNS; i++) {
    let sum: f32 = 0;
    if (i < count) {
      let sums = f32x4.splat(0);
      for (let x: usize = 0; x < whole; x += 16) sums = madd(v128.load(dy + x), v128.load(out + x), sums);
      sum = lanesSum(sums);
      for (let x = whole; x < end; x += 4) sum += load<f32>(dy + x) * load<f32>(out + x);
      dy += step;
      out += step;
    }
    store<f32>(to + ((<usize>i) << 2), sum);
  }
}

/** Weights from scores, `exp(score − log-sum-exp)`, and `scale · weight · (dWeight − row product)` from dWeights. */
export function toGradients(
  weights: usize,
  dWeights: usize,
  keys: i32,
  logs: usize,
  products: usize,
  scale: f32,
): void {
  const factor = f32x4.splat(scale);
  const log0 = v128.load(logs);
  const log1 = v128.load(logs, 16);
  const product0 = v128.load(products);
  const product1 = v128.load(products, 16);
  const end = weights + ((<usize>keys) << 5);
  for (; weights < end; weights += 32) {
    const p0 = exp(f32x4.sub(v128.load(weights), log0));
    const p1 = exp(f32x4.sub(v128.load(weights, 16), log1));
    const d0 = f32x4.sub(v128.load(dWeights), product0);
    const d1 = f32x4.sub(v128.load(dWeights, 16), product1);
    v128.store(weights, p0);
    v128.store(weights, p1, 16);
    v128.store(dWeights, f32x4.mul(f32x4.mul(p0, d0), factor));
    v128.store(dWeights, f32x4.mul(f32x4.mul(p1, d1), factor), 16);
    dWeights += 32;
  }
}
