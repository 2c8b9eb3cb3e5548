import * as tf from '@tensorflow/tfjs-core';

/** Activation functions, mostly by the names that Hugging Face configurations use: see `activationNamed`. */
export const ACTIVATIONS = [
  'gelu',
  'gelu_tanh',
  'quick_gelu',
  'silu',
  'relu',
  'relu2',
  'tanh',
  'sigmoid',
] as const;

export type Activation = (typeof ACTIVATIONS)[number];

const otherNames: Readonly<Record<string, Activation>> = {
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_new: 'gelu_tanh',
  swish: 'silu',
};

/** The activation that a Hugging Face configuration calls so; undefined for one that is not known here. */
export function activationNamed(name: string): Activation | undefined {
  if (Object.hasOwn(otherNames, name)) return otherNames[name];
  return ACTIVATIONS.find((known) => known === name);
}

interface Formula {
  value(x: tf.Tensor): tf.Tensor;
  /** Value and derivative, sharing what they have in common. */
  withSlope(x: tf.Tensor): { value: tf.Tensor; slope: tf.Tensor };
}

/**
 * `x · σ(p(x))`, whose derivative is `s + x·s·(1 − s)·p'(x)` with `s = σ(p(x))`. Three of the activations have this
 * form, and the sigmoid is one of the few transcendental kernels that are fast on wasm.
 */
function gatedBySigmoid(
  inner: (x: tf.Tensor) => tf.Tensor,
  timesInnerSlope: (factor: tf.Tensor, x: tf.Tensor) => tf.Tensor,
): Formula {
  return {
    value: (x) => tf.mul(x, tf.sigmoid(inner(x))),
    withSlope: (x) => {
      const s = tf.sigmoid(inner(x));
      const value = tf.mul(x, s);
      return { value, slope: tf.add(s, timesInnerSlope(tf.mul(value, tf.sub(1, s)), x)) };
    },
  };
}

const QUICK_GELU_FACTOR = 1.702;
/** ½(1 + tanh(u)) = σ(2u) with u = √(2/π)·(x + 0.044715·x³): Hendrycks & Gimpel, arXiv:1606.08415. */
const GELU_LINEAR = 2 * Math.sqrt(2 / Math.PI);
const GELU_CUBIC = GELU_LINEAR * 0.044715;

/** Φ(x), the normal distribution function. `tf.erf` is within 3e-7 of erf on every backend. */
const normalCdf = (x: tf.Tensor) => tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);

const normalDensity = (x: tf.Tensor) =>
  tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));

const formulas: Record<Activation, Formula> = {
  gelu: {
    value: (x) => tf.mul(x, normalCdf(x)),
    withSlope: (x) => {
      const phi = normalCdf(x);
      return { value: tf.mul(x, phi), slope: tf.add(phi, tf.mul(x, normalDensity(x))) };
    },
  },
  gelu_tanh: gatedBySigmoid(
    (x) => tf.mul(x, tf.add(tf.mul(tf.square(x), GELU_CUBIC), GELU_LINEAR)),
    (factor, x) => tf.mul(factor, tf.add(tf.mul(tf.square(x), 3 * GELU_CUBIC), GELU_LINEAR)),
  ),
  quick_gelu: gatedBySigmoid(
    (x) => tf.mul(x, QUICK_GELU_FACTOR),
    (factor) => tf.mul(factor, QUICK_GELU_FACTOR),
  ),
  silu: gatedBySigmoid(
    (x) => x,
    (factor) => factor,
  ),
  relu: {
    value: (x) => tf.relu(x),
    withSlope: (x) => ({ value: tf.relu(x), slope: tf.step(x) }),
  },
  relu2: {
    value: (x) => tf.square(tf.relu(x)),
    withSlope: (x) => {
      const r = tf.relu(x);
      return { value: tf.square(r), slope: tf.mul(r, 2) };
    },
  },
  tanh: {
    value: (x) => tf.tanh(x),
    withSlope: (x) => {
      const value = tf.tanh(x);
      return { value, slope: tf.sub(1, tf.square(value)) };
    },
  },
  sigmoid: {
    value: (x) => tf.sigmoid(x),
    withSlope: (x) => {
      const value = tf.sigmoid(x);
      return { value, slope: tf.mul(value, tf.sub(1, value)) };
    },
  },
};

/** For kernels: the activation in plain tfjs ops, without a gradient. Intermediate results are left to `tf.tidy`. */
export const activationValue = (x: tf.Tensor, kind: Activation): tf.Tensor => formulas[kind].value(x);

/** For kernels: the activation and its derivative in plain tfjs ops. Intermediate results are left to `tf.tidy`. */
export const activationWithSlope = (x: tf.Tensor, kind: Activation): { value: tf.Tensor; slope: tf.Tensor } =>
  formulas[kind].withSlope(x);
