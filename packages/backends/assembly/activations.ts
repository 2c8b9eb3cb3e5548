import {
  constants,
  DENSITY,
  E1,
  E2,
  E3,
  E4,
  E5,
  ERF,
  GELU_CUBIC,
  GELU_CUBIC_SLOPE,
  GELU_LINEAR,
  HALF,
  ONE,
  QUICK_GELU,
  SQRT_HALF,
  T0,
  T1,
  T2,
  T3,
  T4,
  TANH_LIMIT,
  TWO,
  ZEROS,
} from './constants';
import { exp, positiveExp } from './exponential';
import { madd } from './vector';

/**
 * An activation of four values. The types below stand for one each, so that a loop over values is compiled for every
 * one of them; no object is ever made.
 */
export interface Activation {
  /** What value and slope have in common, and most of the work. */
  core(x: v128): v128;
  value(x: v128, core: v128): v128;
  /** The derivative. */
  slope(x: v128, core: v128): v128;
}

export function sigmoid(x: v128): v128 {
  const one = v128.load(constants(), ONE);
  return f32x4.div(one, f32x4.add(one, positiveExp(f32x4.neg(x))));
}

/** By the sigmoid, and near zero, where that would cancel, by an odd polynomial. */
function tanh(x: v128): v128 {
  const c = constants();
  const two = v128.load(c, TWO);
  const large = f32x4.sub(f32x4.mul(sigmoid(f32x4.mul(x, two)), two), v128.load(c, ONE));
  const square = f32x4.mul(x, x);
  let p = madd(v128.load(c, T4), square, v128.load(c, T3));
  p = madd(p, square, v128.load(c, T2));
  p = madd(p, square, v128.load(c, T1));
  p = madd(p, square, v128.load(c, T0));
  const small = madd(f32x4.mul(p, square), x, x);
  return v128.bitselect(small, large, f32x4.lt(f32x4.abs(x), v128.load(c, TANH_LIMIT)));
}

/** Φ(x) with `bell = exp(−x²/2)`, by a formula for erf that tfjs uses too. Within 1e-7. */
function normalCdf(x: v128, bell: v128): v128 {
  const c = constants();
  const one = v128.load(c, ONE);
  const size = f32x4.mul(f32x4.abs(x), v128.load(c, SQRT_HALF));
  const t = f32x4.div(one, madd(size, v128.load(c, ERF), one));
  let p = madd(t, v128.load(c, E5), v128.load(c, E4));
  p = madd(p, t, v128.load(c, E3));
  p = madd(p, t, v128.load(c, E2));
  p = madd(p, t, v128.load(c, E1));
  const tail = f32x4.mul(f32x4.mul(f32x4.mul(p, t), bell), v128.load(c, HALF));
  return v128.bitselect(tail, f32x4.sub(one, tail), f32x4.lt(x, v128.load(c, ZEROS)));
}

/** max(x, 0), NaN for NaN. */
function rectified(x: v128): v128 {
  return f32x4.pmax(x, v128.load(constants(), ZEROS));
}

/** The derivative of `x · s` with `s = σ(p(x))`, which is `s + x·s·(1 − s)·p'(x)`. */
function gatedSlope(x: v128, s: v128, innerSlope: v128): v128 {
  const factor = f32x4.mul(f32x4.mul(x, s), f32x4.sub(v128.load(constants(), ONE), s));
  return madd(factor, innerSlope, s);
}

export class Identity implements Activation {
  @inline core(x: v128): v128 {
    return x;
  }
  @inline value(x: v128, _core: v128): v128 {
    return x;
  }
  @inline slope(_x: v128, _core: v128): v128 {
    return v128.load(constants(), ONE);
  }
}

export class Gelu implements Activation {
  @inline core(x: v128): v128 {
    return exp(f32x4.neg(f32x4.mul(f32x4.mul(x, x), v128.load(constants(), HALF))));
  }
  @inline value(x: v128, bell: v128): v128 {
    return f32x4.mul(x, normalCdf(x, bell));
  }
  @inline slope(x: v128, bell: v128): v128 {
    const density = f32x4.mul(bell, v128.load(constants(), DENSITY));
    return madd(x, density, normalCdf(x, bell));
  }
}

export class GeluTanh implements Activation {
  @inline core(x: v128): v128 {
    const c = constants();
    const factor = madd(f32x4.mul(x, x), v128.load(c, GELU_CUBIC), v128.load(c, GELU_LINEAR));
    return sigmoid(f32x4.mul(x, factor));
  }
  @inline value(x: v128, s: v128): v128 {
    return f32x4.mul(x, s);
  }
  @inline slope(x: v128, s: v128): v128 {
    const c = constants();
    const inner = madd(f32x4.mul(x, x), v128.load(c, GELU_CUBIC_SLOPE), v128.load(c, GELU_LINEAR));
    return gatedSlope(x, s, inner);
  }
}

export class QuickGelu implements Activation {
  @inline core(x: v128): v128 {
    return sigmoid(f32x4.mul(x, v128.load(constants(), QUICK_GELU)));
  }
  @inline value(x: v128, s: v128): v128 {
    return f32x4.mul(x, s);
  }
  @inline slope(x: v128, s: v128): v128 {
    return gatedSlope(x, s, v128.load(constants(), QUICK_GELU));
  }
}

export class Silu implements Activation {
  @inline core(x: v128): v128 {
    return sigmoid(x);
  }
  @inline value(x: v128, s: v128): v128 {
    return f32x4.mul(x, s);
  }
  @inline slope(x: v128, s: v128): v128 {
    return gatedSlope(x, s, v128.load(constants(), ONE));
  }
}

export class Relu implements Activation {
  @inline core(x: v128): v128 {
    return rectified(x);
  }
  @inline value(_x: v128, positive: v128): v128 {
    return positive;
  }
  /** One above zero; NaN stays. */
  @inline slope(x: v128, _positive: v128): v128 {
    const c = constants();
    const step = v128.and(f32x4.gt(x, v128.load(c, ZEROS)), v128.load(c, ONE));
    return f32x4.add(step, v128.andnot(x, f32x4.eq(x, x)));
  }
}

export class Relu2 implements Activation {
  @inline core(x: v128): v128 {
    return rectified(x);
  }
  @inline value(_x: v128, positive: v128): v128 {
    return f32x4.mul(positive, positive);
  }
  @inline slope(_x: v128, positive: v128): v128 {
    return f32x4.add(positive, positive);
  }
}

export class Tanh implements Activation {
  @inline core(x: v128): v128 {
    return tanh(x);
  }
  @inline value(_x: v128, y: v128): v128 {
    return y;
  }
  @inline slope(_x: v128, y: v128): v128 {
    return f32x4.sub(v128.load(constants(), ONE), f32x4.mul(y, y));
  }
}

export class Sigmoid implements Activation {
  @inline core(x: v128): v128 {
    return sigmoid(x);
  }
  @inline value(_x: v128, s: v128): v128 {
    return s;
  }
  @inline slope(_x: v128, s: v128): v128 {
    return f32x4.mul(s, f32x4.sub(v128.load(constants(), ONE), s));
  }
}
