import * as tf from '@tensorflow/tfjs-core';
import { type Gradient, gradient, masked } from './gradient';

/** tfjs hands a list of gradients to kernels with several outputs, and the gradient itself where there is a single one. */
const listOf = (dy: tf.Tensor | tf.Tensor[]): tf.Tensor[] => (Array.isArray(dy) ? dy : [dy]);

const toShapeOf = (kernelName: string, input: string): Gradient => ({
  kernelName,
  inputs: [input],
  backward: (dy, [x]) => ({ [input]: () => tf.reshape(dy, x!.shape) }),
});

/** A function for each input of a kernel that takes a list, whose inputs are named by their positions. */
const byPosition = (count: number, part: (position: number) => tf.Tensor): Record<string, () => tf.Tensor> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [i, () => part(i)]));

/** Adds up the copies along each tiled axis, seen as the middle one of three. */
function sumTiles(dy: tf.Tensor, reps: readonly number[]): tf.Tensor {
  return reps.reduce((sum: tf.Tensor, count, axis) => {
    if (count === 1) return sum;
    const before = sum.shape.slice(0, axis);
    const rest = [sum.shape[axis]! / count, ...sum.shape.slice(axis + 1)];
    const outer = tf.util.sizeFromShape(before);
    return tf.reshape(tf.sum(tf.reshape(sum, [outer, count, tf.util.sizeFromShape(rest)]), 1), [
      ...before,
      ...rest,
    ]);
  }, tf.clone(dy));
}

export const SHAPE_GRADIENTS: readonly Gradient[] = [
  toShapeOf(tf.Reshape, 'x'),
  toShapeOf(tf.ExpandDims, 'input'),
  gradient<tf.TransposeAttrs>({
    kernelName: tf.Transpose,
    backward: (dy, _saved, { perm }) => ({
      x: () => tf.transpose(dy, tf.backend_util.getUndoAxesPermutation(perm)),
    }),
  }),
  gradient<tf.ReverseAttrs>({
    kernelName: tf.Reverse,
    backward: (dy, _saved, { dims }) => ({ x: () => tf.reverse(dy, dims) }),
  }),
  gradient<tf.ConcatAttrs>({
    kernelName: tf.Concat,
    allInputs: true,
    backward: (dy, parts, { axis }) => {
      const along = tf.util.parseAxisParam(axis, dy.shape)[0]!;
      return byPosition(parts.length, (i) => {
        const begin = dy.shape.map(() => 0);
        begin[along] = parts.slice(0, i).reduce((sum, part) => sum + part.shape[along]!, 0);
        return tf.slice(dy, begin, parts[i]!.shape);
      });
    },
  }),
  gradient<tf.PackAttrs>({
    kernelName: tf.Pack,
    allInputs: true,
    backward: (dy, parts, { axis }) => {
      const along = tf.util.parseAxisParam(axis, dy.shape)[0]!;
      return byPosition(parts.length, (i) => {
        const begin = dy.shape.map((_, j) => (j === along ? i : 0));
        const size = dy.shape.map((n, j) => (j === along ? 1 : n));
        return tf.reshape(tf.slice(dy, begin, size), parts[i]!.shape);
      });
    },
  }),
  gradient<tf.SplitVAttrs>({
    kernelName: tf.SplitV,
    backward: (dy, _saved, { axis }) => ({ x: () => tf.concat(listOf(dy), axis) }),
  }),
  gradient<tf.UnpackAttrs>({
    kernelName: tf.Unpack,
    backward: (dy, _saved, { axis }) => ({ value: () => tf.stack(listOf(dy), axis) }),
  }),
  gradient<tf.SliceAttrs>({
    kernelName: tf.Slice,
    inputs: ['x'],
    backward: (dy, [x], { begin, size }) => ({
      x: () => {
        const [from, length] = tf.slice_util.parseSliceParams(x!, begin, size);
        return tf.pad(
          dy,
          x!.shape.map((n, i) => [from[i]!, n - from[i]! - length[i]!]),
        );
      },
    }),
  }),
  gradient<tf.PadV2Attrs>({
    kernelName: tf.PadV2,
    inputs: ['x'],
    backward: (dy, [x], { paddings }) => ({
      x: () =>
        tf.slice(
          dy,
          paddings.map(([before]) => before),
          x!.shape,
        ),
    }),
  }),
  gradient<tf.TileAttrs>({
    kernelName: tf.Tile,
    backward: (dy, _saved, { reps }) => ({ x: () => sumTiles(dy, reps) }),
  }),
  {
    kernelName: tf.Select,
    inputs: ['condition'],
    backward: (dy, [condition]) => ({
      condition: () => tf.zeros(condition!.shape),
      t: () => masked(condition!, dy),
      e: () => tf.where(condition!, tf.zerosLike(dy), dy),
    }),
  },
];
