import { exp } from './exponential';
import { madd } from './vector';

/** The numbers of the activations, which are the places of their names in `activations.ts` of the loader. */
export const GELU: i32 = 0;
export const GELU_TANH: i32 = 1;
export const QUICK_GELU: i32 = 2;
export const SILU: i32 = 3;
export const RELU: i32 = 4;
export const RELU2: i32 = 5;
export const TANH: i32 = 6;
export const SIGMOID: i32 = 7;

/** ½(1 + tanh(u)) = σ(2u) with u = √(2/π)·(x + 0.044715·x³): Hendrycks & Gimpel, arXiv:1606.08415. */
const GELU_LINEAR: f32 = 1.5957691216;
const GELU_CUBIC: f32 = 0.0713548162726;
const QUICK_GELU_FACTOR: f32 = 1.702;

function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp(f32x4.neg(x))));
}

/** By the sigmoid, and near zero, where that would cancel, by the odd polynomial of Cephes' tanhf. */
function tanh(x: v128): v128 {
  const two = f32x4.splat(2);
  const large = f32x4.sub(f32x4.mul(sigmoid(f32x4.mul(x, two)), two), f32x4.splat(1));
  const square = f32x4.mul(x, x);
  let p = madd(f32x4.splat(-5.70498872745e-3), square, f32x4.splat(2.06390887954e-2));
  p = madd(p, square, f32x4.splat(-5.37397155531e-2));
  p = madd(p, square, f32x4.splat(1.33314422036e-1));
  p = madd(p, square, f32x4.splat(-3.33332819422e-1));
  const small = madd(f32x4.mul(p, square), x, x);
  return v128.bitselect(small, large, f32x4.lt(f32x4.abs(x), f32x4.splat(0.625)));
}

/** Φ(x), by formula 7.1.26 of Abramowitz & Stegun for erf, as tfjs computes it. Within 1e-7. */
function normalCdf(x: v128): v128 {
  const one = f32x4.splat(1);
  const size = f32x4.mul(f32x4.abs(x), f32x4.splat(<f32>Math.SQRT1_2));
  const t = f32x4.div(one, madd(size, f32x4.splat(0.3275911), one));
  let p = madd(t, f32x4.splat(1.061405429), f32x4.splat(-1.453152027));
  p = madd(p, t, f32x4.splat(1.421413741));
  p = madd(p, t, f32x4.splat(-0.284496736));
  p = madd(p, t, f32x4.splat(0.254829592));
  const tail = f32x4.mul(f32x4.mul(p, t), exp(f32x4.neg(f32x4.mul(size, size))));
  const half = f32x4.mul(tail, f32x4.splat(0.5));
  return v128.bitselect(half, f32x4.sub(one, half), f32x4.lt(x, f32x4.splat(0)));
}

function geluInner(x: v128): v128 {
  return f32x4.mul(x, madd(f32x4.mul(x, x), f32x4.splat(GELU_CUBIC), f32x4.splat(GELU_LINEAR)));
}

/** max(x, 0), NaN for NaN. */
function relu(x: v128): v128 {
  return f32x4.pmax(x, f32x4.splat(0));
}

/** The activation of four values. */
export function activation(kind: i32, x: v128): v128 {
  switch (kind) {
    case GELU:
      return f32x4.mul(x, normalCdf(x));
    case GELU_TANH:
      return f32x4.mul(x, sigmoid(geluInner(x)));
    case QUICK_GELU:
      return f32x4.mul(x, sigmoid(f32x4.mul(x, f32x4.splat(QUICK_GELU_FACTOR))));
    case SILU:
      return f32x4.mul(x, sigmoid(x));
    case RELU:
      return relu(x);
    case RELU2:
      return f32x4.mul(relu(x), relu(x));
    case TANH:
      return tanh(x);
    default:
      return sigmoid(x);
  }
}

/** The derivative of `x · σ(p(x))` is `s + x·s·(1 − s)·p'(x)` with `s = σ(p(x))`. */
function gatedSlope(x: v128, inner: v128, innerSlope: v128): v128 {
  const s = sigmoid(inner);
  const factor = f32x4.mul(f32x4.mul(x, s), f32x4.sub(f32x4.splat(1), s));
  return f32x4.add(s, f32x4.mul(factor, innerSlope));
}

/** The derivative of the activation at four values. */
export function slope(kind: i32, x: v128): v128 {
  const one = f32x4.splat(1);
  const square = f32x4.mul(x, x);
  switch (kind) {
    case GELU: {
      const density = f32x4.mul(exp(f32x4.mul(square, f32x4.splat(-0.5))), f32x4.splat(0.39894228));
      return f32x4.add(normalCdf(x), f32x4.mul(x, density));
    }
    case GELU_TANH:
      return gatedSlope(x, geluInner(x), madd(square, f32x4.splat(3 * GELU_CUBIC), f32x4.splat(GELU_LINEAR)));
    case QUICK_GELU: {
      const factor = f32x4.splat(QUICK_GELU_FACTOR);
      return gatedSlope(x, f32x4.mul(x, factor), factor);
    }
    case SILU:
      return gatedSlope(x, x, one);
    case RELU:
      // One above zero; NaN stays.
      return f32x4.add(v128.and(f32x4.gt(x, f32x4.splat(0)), one), v128.andnot(x, f32x4.eq(x, x)));
    case RELU2:
      return f32x4.mul(relu(x), f32x4.splat(2));
    case TANH: {
      const value = tanh(x);
      return f32x4.sub(one, f32x4.mul(value, value));
    }
    default: {
      const s = sigmoid(x);
      return f32x4.mul(s, f32x4.sub(one, s));
    }
  }
}

/** The activation of `n` floats. */
export function activate(kind: i32, from: usize, to: usize, n: i32): void {
  const wholeEnd = from + ((<usize>(n & ~3)) << 2);
  const end = from + ((<usize>n) << 2);
  for (; from < wholeEnd; from += 16) {
    v128.store(to, activation(kind, v128.load(from)));
    to += 16;
  }
  for (; from < end; from += 4) {
    v128.store_lane<f32>(to, activation(kind, v128.load_splat<f32>(from)), 0);
    to += 4;
  }
}

/** `dy` times the derivative of the activation, for `n` floats. */
export function activationGradient(kind: i32, dy: usize, x: usize, dx: usize, n: i32): void {
  const whole = (<usize>(n & ~3)) << 2;
  const end = (<usize>n) << 2;
  for (let i: usize = 0; i < whole; i += 16) {
    v128.store(dx + i, f32x4.mul(v128.load(dy + i), slope(kind, v128.load(x + i))));
  }
  for (let i = whole; i < end; i += 4) {
    const value = f32x4.mul(v128.load_splat<f32>(dy + i), slope(kind, v128.load_splat<f32>(x + i)));
    v128.store_lane<f32>(dx + i, value, 0);
  }
}
