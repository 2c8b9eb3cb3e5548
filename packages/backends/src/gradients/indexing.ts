import * as tf from '@tensorflow/tfjs-core';
import { type Gradient, gradient, masked } from './gradient';

/**
 * The gradient of `out[b, o, i, :] = x[b, o, indices[b, i], :]`: with `b` and the gathered axis in front, rows of
 * `dy` are added up by the row of `x` that they came from, counted through all `b`.
 */
function scatterBack(
  dy: tf.Tensor,
  x: tf.Tensor,
  indices: tf.Tensor,
  axis: number,
  batchDims: number,
): tf.Tensor {
  const { batchSize, outerSize, dimSize, sliceSize } = tf.backend_util.segment_util.collectGatherOpShapeInfo(
    x,
    indices,
    axis,
    batchDims,
  );
  const numPicks = indices.size / batchSize;
  const swapOuter = (t: tf.Tensor, first: number, second: number) =>
    tf.transpose(tf.reshape(t, [batchSize, first, second, sliceSize]), [0, 2, 1, 3]);
  const rows = tf.reshape(swapOuter(dy, outerSize, numPicks), [batchSize * numPicks, outerSize * sliceSize]);
  const offsets = tf.reshape(tf.range(0, batchSize, 1, 'int32'), [batchSize, 1]);
  const ids = tf.add(
    tf.reshape(indices, [batchSize, numPicks]),
    tf.mul(offsets, tf.scalar(dimSize, 'int32')),
  );
  const sums = tf.unsortedSegmentSum(rows, tf.reshape(ids, [batchSize * numPicks]), batchSize * dimSize);
  return tf.reshape(swapOuter(sums, dimSize, outerSize), x.shape);
}

export const INDEXING_GRADIENTS: readonly Gradient[] = [
  gradient<tf.GatherV2Attrs>({
    kernelName: tf.GatherV2,
    inputs: ['x', 'indices'],
    backward: (dy, [x, indices], { axis, batchDims }) => ({
      x: () => scatterBack(dy, x!, indices!, tf.util.parseAxisParam(axis, x!.shape)[0]!, batchDims),
      indices: () => tf.zeros(indices!.shape),
    }),
  }),
  {
    kernelName: tf.UnsortedSegmentSum,
    inputs: ['segmentIds'],
    backward: (dy, [ids]) => ({
      x: () => {
        // Rows with an id outside the segments were dropped, and have no gradient.
        const isKept = tf.logicalAnd(tf.greaterEqual(ids!, 0), tf.less(ids!, dy.shape[0]!));
        const rows = tf.gather(dy, tf.clipByValue(ids!, 0, dy.shape[0]! - 1) as tf.Tensor1D);
        const mask = tf.reshape(isKept, [...ids!.shape, ...rows.shape.slice(ids!.rank).map(() => 1)]);
        return masked(tf.broadcastTo(mask, rows.shape), rows);
      },
      segmentIds: () => tf.zeros(ids!.shape),
    }),
  },
  {
    kernelName: tf.OneHot,
    inputs: ['indices'],
    backward: (_dy, [indices]) => ({ indices: () => tf.zeros(indices!.shape) }),
  },
];
