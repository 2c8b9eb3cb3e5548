import * as tf from '@tensorflow/tfjs-core';
import { asFloat, type Gradient, gradient, masked } from './gradient';

interface ReductionAttrs {
  /** All axes where it is absent. */
  axis?: number | number[] | null;
}

/** `reduced`, the result of a reduction of `shape`, repeated along the axes that the reduction removed. */
function spread(reduced: tf.Tensor, shape: number[], axis: ReductionAttrs['axis']): tf.Tensor {
  const kept = shape.slice();
  for (const removed of parseAxes(axis, shape)) kept[removed] = 1;
  return tf.broadcastTo(tf.reshape(reduced, kept), shape);
}

const parseAxes = (axis: ReductionAttrs['axis'], shape: number[]): number[] =>
  tf.util.parseAxisParam(axis ?? shape.map((_, i) => i), shape);

/** The gradient goes to the extreme element; where several are, they share it. */
function ofExtreme(dy: tf.Tensor, x: tf.Tensor, y: tf.Tensor, axis: ReductionAttrs['axis']): tf.Tensor {
  const isExtreme = tf.equal(x, spread(y, x.shape, axis));
  const axes = parseAxes(axis, x.shape);
  const ties = tf.sum(tf.cast(isExtreme, 'float32'), axes, true);
  return masked(isExtreme, tf.div(spread(dy, x.shape, axis), ties));
}

/** The products of all other elements along the reduced axes; zeros among them do no harm, as a division would. */
function productOfOthers(x: tf.Tensor, axis: ReductionAttrs['axis']): tf.Tensor {
  const axes = parseAxes(axis, x.shape);
  const order = [...x.shape.keys()].filter((i) => !axes.includes(i)).concat(axes);
  const moved = tf.transpose(x, order);
  const size = axes.reduce((product, i) => product * x.shape[i]!, 1);
  const rows = tf.reshape(moved, [x.size / size, size]);
  const others = tf.mul(tf.cumprod(rows, 1, true), tf.cumprod(rows, 1, true, true));
  return tf.transpose(tf.reshape(others, moved.shape), tf.backend_util.getUndoAxesPermutation(order));
}

export const REDUCTION_GRADIENTS: readonly Gradient[] = [
  gradient<ReductionAttrs>({
    kernelName: tf.Sum,
    inputs: ['x'],
    backward: (dy, [x], { axis }) => ({ x: () => spread(dy, x!.shape, axis) }),
  }),
  gradient<ReductionAttrs>({
    kernelName: tf.Mean,
    inputs: ['x'],
    backward: (dy, [x], { axis }) => ({
      x: () => spread(tf.mul(dy, dy.size / x!.size), x!.shape, axis),
    }),
  }),
  gradient<{ reductionIndices: ReductionAttrs['axis'] }>({
    kernelName: tf.Max,
    inputs: ['x'],
    output: true,
    backward: (dy, [x, y], { reductionIndices }) => ({ x: () => ofExtreme(dy, x!, y!, reductionIndices) }),
  }),
  gradient<ReductionAttrs>({
    kernelName: tf.Min,
    inputs: ['x'],
    output: true,
    backward: (dy, [x, y], { axis }) => ({ x: () => ofExtreme(dy, x!, y!, axis) }),
  }),
  gradient<ReductionAttrs>({
    kernelName: tf.Prod,
    inputs: ['x'],
    backward: (dy, [x], { axis }) => ({
      x: () => tf.mul(spread(dy, x!.shape, axis), productOfOthers(asFloat(x!), axis)),
    }),
  }),
  gradient<tf.CumsumAttrs>({
    kernelName: tf.Cumsum,
    backward: (dy, _saved, { axis, exclusive, reverse }) => ({
      x: () => tf.cumsum(dy, axis, exclusive, !reverse),
    }),
  }),
  gradient<tf.SoftmaxAttrs>({
    kernelName: tf.Softmax,
    output: true,
    backward: (dy, [y], { dim }) => ({
      logits: () => {
        const weighted = tf.mul(dy, y!);
        return tf.sub(weighted, tf.mul(y!, tf.sum(weighted, dim, true)));
      },
    }),
  }),
];
