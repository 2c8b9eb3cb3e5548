import {
  C1,
  C2,
  C3,
  C4,
  C5,
  constants,
  HIGHEST,
  LN2_HIGH,
  LN2_LOW,
  LOG2E,
  LOWEST,
  ONE,
  ROUND,
} from './constants';
import { madd } from './vector';

/**
 * eˣ, within 2e-7 of its size. Zero below -87.3, infinite above 88.3, NaN for NaN. `x = n·ln 2 + r`; adding 1.5·2²³
 * rounds n into the low bits of the mantissa, from where a shift makes it the exponent of 2ⁿ.
 */
export function exp(x: v128): v128 {
  return v128.andnot(positiveExp(x), f32x4.lt(x, v128.load(constants(), LOWEST)));
}

/** eˣ as `exp` has it, but 1.2e-38 instead of zero for the lowest. */
export function positiveExp(x: v128): v128 {
  const c = constants();
  // pmax and pmin return their first operand if it is NaN.
  const clamped = f32x4.pmin(f32x4.pmax(x, v128.load(c, LOWEST)), v128.load(c, HIGHEST));
  const shifted = madd(clamped, v128.load(c, LOG2E), v128.load(c, ROUND));
  const n = f32x4.sub(shifted, v128.load(c, ROUND));
  const r = madd(n, v128.load(c, LN2_LOW), madd(n, v128.load(c, LN2_HIGH), clamped));
  let p = madd(v128.load(c, C5), r, v128.load(c, C4));
  p = madd(p, r, v128.load(c, C3));
  p = madd(p, r, v128.load(c, C2));
  p = madd(p, r, v128.load(c, C1));
  const one = v128.load(c, ONE);
  const power = i32x4.add(i32x4.shl(shifted, 23), one);
  return f32x4.mul(madd(p, r, one), power);
}

/**
 * ln x for normal numbers above zero, NaN for NaN and infinity: with `x = m·2ⁿ`, m in [√½, √2), and
 * `t = (m − 1) / (m + 1)`, `ln x = n·ln 2 + 2·(t + t³/3 + t⁵/5 + …)`.
 */
export function log(x: v128): v128 {
  const one = f32x4.splat(1);
  // 0x3f3504f3 is √½: what lies above it in x's bits, counted in exponents, is n.
  const n = i32x4.shr_s(i32x4.sub(x, i32x4.splat(0x3f3504f3)), 23);
  const m = i32x4.sub(x, i32x4.shl(n, 23));
  const t = f32x4.div(f32x4.sub(m, one), f32x4.add(m, one));
  const square = f32x4.mul(t, t);
  let p = madd(square, f32x4.splat(0.22222222), f32x4.splat(0.28571429));
  p = madd(p, square, f32x4.splat(0.4));
  p = madd(p, square, f32x4.splat(0.66666667));
  p = madd(f32x4.mul(p, square), t, f32x4.mul(t, f32x4.splat(2)));
  const value = madd(f32x4.convert_i32x4_s(n), f32x4.splat(<f32>Math.LN2), p);
  // The bits of NaN and infinity look like numbers to all of the above.
  return f32x4.add(value, f32x4.mul(x, f32x4.splat(0)));
}
