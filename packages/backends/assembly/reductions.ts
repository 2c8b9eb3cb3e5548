/** Sums over a row of `n` floats, by four vectors at a time: a single one would wait for each addition. */
import { lanesSum, madd } from './vector';

const BLOCK: usize = 64;

function blocksEnd(x: usize, n: i32): usize {
  return x + ((<usize>(n & ~15)) << 2);
}

export function sum(x: usize, n: i32): f32 {
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (const end = blocksEnd(x, n); x < end; x += BLOCK) {
    a = f32x4.add(a, v128.load(x));
    b = f32x4.add(b, v128.load(x, 16));
    c = f32x4.add(c, v128.load(x, 32));
    d = f32x4.add(d, v128.load(x, 48));
  }
  let total = lanesSum(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
  for (let i = n & 15; i > 0; i--) {
    total += load<f32>(x);
    x += 4;
  }
  return total;
}

/** Σ (x − center)². */
export function squaredDeviations(x: usize, n: i32, center: f32): f32 {
  const centers = f32x4.splat(center);
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (const end = blocksEnd(x, n); x < end; x += BLOCK) {
    const x0 = f32x4.sub(v128.load(x), centers);
    const x1 = f32x4.sub(v128.load(x, 16), centers);
    const x2 = f32x4.sub(v128.load(x, 32), centers);
    const x3 = f32x4.sub(v128.load(x, 48), centers);
    a = madd(x0, x0, a);
    b = madd(x1, x1, b);
    c = madd(x2, x2, c);
    d = madd(x3, x3, d);
  }
  let total = lanesSum(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
  for (let i = n & 15; i > 0; i--) {
    const distance = load<f32>(x) - center;
    total += distance * distance;
    x += 4;
  }
  return total;
}
