import * as tf from '@tensorflow/tfjs-core';
import { asFloat, type Gradient, masked, sumTo } from './gradient';

type Part = (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

/** The gradient of an element-wise function of two tensors that are broadcast to one shape. */
const ofBoth = (kernelName: string, ofA: Part, ofB: Part): Gradient => ({
  kernelName,
  inputs: ['a', 'b'],
  backward: (dy, [a, b]) => ({
    a: () => sumTo(ofA(dy, asFloat(a!), asFloat(b!)), a!.shape),
    b: () => sumTo(ofB(dy, asFloat(a!), asFloat(b!)), b!.shape),
  }),
});

const twice = (x: tf.Tensor): tf.Tensor => tf.mul(x, 2);

export const BINARY_GRADIENTS: readonly Gradient[] = [
  ofBoth(
    tf.Add,
    (dy) => dy,
    (dy) => dy,
  ),
  ofBoth(
    tf.Sub,
    (dy) => dy,
    (dy) => tf.neg(dy),
  ),
  ofBoth(
    tf.Multiply,
    (dy, _a, b) => tf.mul(dy, b),
    (dy, a) => tf.mul(dy, a),
  ),
  ofBoth(
    tf.RealDiv,
    (dy, _a, b) => tf.div(dy, b),
    (dy, a, b) => tf.neg(tf.div(tf.mul(dy, a), tf.square(b))),
  ),
  ofBoth(
    tf.SquaredDifference,
    (dy, a, b) => tf.mul(dy, twice(tf.sub(a, b))),
    (dy, a, b) => tf.mul(dy, twice(tf.sub(b, a))),
  ),
  // Where both are equal, the first takes all.
  ofBoth(
    tf.Maximum,
    (dy, a, b) => masked(tf.greaterEqual(a, b), dy),
    (dy, a, b) => masked(tf.less(a, b), dy),
  ),
  ofBoth(
    tf.Minimum,
    (dy, a, b) => masked(tf.lessEqual(a, b), dy),
    (dy, a, b) => masked(tf.greater(a, b), dy),
  ),
  ofBoth(
    tf.Mod,
    (dy) => dy,
    (dy, a, b) => tf.neg(tf.mul(dy, tf.floor(tf.div(a, b)))),
  ),
  ofBoth(
    tf.Atan2,
    (dy, a, b) => tf.div(tf.mul(dy, b), tf.add(tf.square(a), tf.square(b))),
    (dy, a, b) => tf.neg(tf.div(tf.mul(dy, a), tf.add(tf.square(a), tf.square(b)))),
  ),
  ofBoth(
    tf.Pow,
    (dy, a, b) => tf.mul(dy, tf.mul(b, tf.pow(a, tf.sub(b, 1)))),
    // d(a^b)/db = a^b log(a) is real for positive a only; elsewhere b is taken for a constant.
    (dy, a, b) => {
      const slope = tf.mul(dy, tf.mul(tf.pow(a, b), tf.log(a)));
      return masked(tf.broadcastTo(tf.greater(a, 0), slope.shape), slope);
    },
  ),
  {
    kernelName: tf.Prelu,
    inputs: ['x', 'alpha'],
    backward: (dy, [x, alpha]) => ({
      x: () => tf.where(tf.greater(x!, 0), dy, tf.mul(dy, alpha!)),
      alpha: () => sumTo(masked(tf.lessEqual(x!, 0), tf.mul(dy, x!)), alpha!.shape),
    }),
  },
  {
    kernelName: tf.AddN,
    allInputs: true,
    backward: (dy, terms) => Object.fromEntries(terms.map((_, i) => [i, () => tf.clone(dy)])),
  },
];
