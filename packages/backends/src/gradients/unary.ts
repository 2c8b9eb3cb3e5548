import * as tf from '@tensorflow/tfjs-core';
import { asFloat, type Gradient, gradient, masked } from './gradient';

/** `dx = dy · f′(x)`. */
const ofInput = (kernelName: string, derivative: (x: tf.Tensor) => tf.Tensor): Gradient => ({
  kernelName,
  inputs: ['x'],
  backward: (dy, [x]) => ({ x: () => tf.mul(dy, derivative(asFloat(x!))) }),
});

/** `dx = dy · f′(x)`, where `f′` is cheaper to tell from `y = f(x)`. */
const ofOutput = (kernelName: string, derivative: (y: tf.Tensor) => tf.Tensor): Gradient => ({
  kernelName,
  output: true,
  backward: (dy, [y]) => ({ x: () => tf.mul(dy, derivative(y!)) }),
});

/** Piecewise constant functions. */
const ofSteps = (kernelName: string): Gradient => ({
  kernelName,
  backward: (dy) => ({ x: () => tf.zerosLike(dy) }),
});

const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

export const UNARY_GRADIENTS: readonly Gradient[] = [
  ofInput(tf.Abs, tf.sign),
  ofInput(tf.Acos, (x) => tf.neg(tf.rsqrt(tf.sub(1, tf.square(x))))),
  ofInput(tf.Acosh, (x) => tf.rsqrt(tf.sub(tf.square(x), 1))),
  ofInput(tf.Asin, (x) => tf.rsqrt(tf.sub(1, tf.square(x)))),
  ofInput(tf.Asinh, (x) => tf.rsqrt(tf.add(1, tf.square(x)))),
  ofInput(tf.Atan, (x) => tf.reciprocal(tf.add(1, tf.square(x)))),
  ofInput(tf.Atanh, (x) => tf.reciprocal(tf.sub(1, tf.square(x)))),
  ofInput(tf.Cos, (x) => tf.neg(tf.sin(x))),
  ofInput(tf.Cosh, tf.sinh),
  ofInput(tf.Erf, (x) => tf.mul(tf.exp(tf.neg(tf.square(x))), 2 / Math.sqrt(Math.PI))),
  ofInput(tf.Expm1, tf.exp),
  ofInput(tf.Log, tf.reciprocal),
  ofInput(tf.Log1p, (x) => tf.reciprocal(tf.add(x, 1))),
  ofInput(tf.Reciprocal, (x) => tf.neg(tf.reciprocal(tf.square(x)))),
  ofInput(tf.Selu, (x) =>
    tf.where(tf.greater(x, 0), tf.fill(x.shape, SELU_SCALE), tf.mul(tf.exp(x), SELU_SCALE * SELU_ALPHA)),
  ),
  ofInput(tf.Sin, tf.cos),
  ofInput(tf.Sinh, tf.cosh),
  ofInput(tf.Softplus, tf.sigmoid),
  ofInput(tf.Square, (x) => tf.mul(x, 2)),
  ofInput(tf.Tan, (x) => tf.reciprocal(tf.square(tf.cos(x)))),

  ofOutput(tf.Elu, (y) => tf.where(tf.greater(y, 0), tf.onesLike(y), tf.add(y, 1))),
  ofOutput(tf.Exp, (y) => y),
  ofOutput(tf.Relu, (y) => tf.step(y)),
  ofOutput(tf.Rsqrt, (y) => tf.mul(tf.mul(tf.square(y), y), -0.5)),
  ofOutput(tf.Sigmoid, (y) => tf.mul(y, tf.sub(1, y))),
  ofOutput(tf.Sqrt, (y) => tf.div(0.5, y)),
  ofOutput(tf.Tanh, (y) => tf.sub(1, tf.square(y))),

  ...[tf.Ceil, tf.Floor, tf.Round, tf.Sign, tf.Step, tf.OnesLike, tf.ZerosLike].map(ofSteps),

  { kernelName: tf.Neg, backward: (dy) => ({ x: () => tf.neg(dy) }) },
  { kernelName: tf.Identity, backward: (dy) => ({ x: () => tf.clone(dy) }) },
  { kernelName: tf.Cast, backward: (dy) => ({ x: () => tf.clone(dy) }) },
  {
    kernelName: tf.Relu6,
    inputs: ['x'],
    backward: (dy, [x]) => ({
      x: () => masked(tf.logicalAnd(tf.greater(x!, 0), tf.less(x!, 6)), dy),
    }),
  },
  gradient<tf.LeakyReluAttrs>({
    kernelName: tf.LeakyRelu,
    inputs: ['x'],
    backward: (dy, [x], { alpha }) => ({ x: () => tf.where(tf.greater(x!, 0), dy, tf.mul(dy, alpha)) }),
  }),
  gradient<tf.ClipByValueAttrs>({
    kernelName: tf.ClipByValue,
    inputs: ['x'],
    backward: (dy, [x], { clipValueMin, clipValueMax }) => ({
      x: () => masked(tf.logicalAnd(tf.greaterEqual(x!, clipValueMin), tf.lessEqual(x!, clipValueMax)), dy),
    }),
  }),
];
