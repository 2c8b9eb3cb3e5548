import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineKernel, defineOp } from './define-op';
import { matmul } from './matmul';

interface GroupedAttrs {
  groupSizes: Int32Array;
}

interface GroupedInputs {
  x: tf.Tensor2D;
  weights: tf.Tensor3D;
}

type Grouped = (inputs: GroupedInputs, attrs: GroupedAttrs & { transpose: boolean }) => tf.Tensor2D;

/** `dWeights[e] = xᵀ · dy` over the rows of group e: float32[E, K, M] from float32[N, K] and float32[N, M]. */
const weightsGradient = defineKernel<{ x: tf.Tensor2D; dy: tf.Tensor2D }, GroupedAttrs>({
  name: 'mmllm/GroupedMatMulGrad',
  reference: ({ x, dy }, { groupSizes }) => {
    const sums = groups(groupSizes).map(({ start, rows }) =>
      rows === 0
        ? tf.zeros([x.shape[1], dy.shape[1]])
        : matmul(slice(x, start, rows), slice(dy, start, rows), { transposeA: true }),
    );
    return tf.stack(sums);
  },
});

const multiply: Grouped = defineOp<
  GroupedInputs,
  GroupedAttrs & { transpose: boolean },
  'x' | 'weights',
  tf.Tensor2D
>({
  name: 'mmllm/GroupedMatMul',
  reference: ({ x, weights }, { groupSizes, transpose }) => {
    const [, inner, outer] = weights.shape;
    const products = groups(groupSizes).flatMap(({ start, rows }, e) => {
      if (rows === 0) return [];
      const weight = tf.reshape<tf.Rank.R2>(tf.slice(weights, [e, 0, 0], [1, inner, outer]), [inner, outer]);
      return [matmul(slice(x, start, rows), weight, { transposeB: transpose })];
    });
    return products.length > 0 ? tf.concat(products) : tf.zeros([0, transpose ? inner : outer]);
  },
  inputsToSave: ['x', 'weights'],
  backward: ({ dy, inputs: { x, weights }, attrs: { groupSizes, transpose } }) => {
    const rows = dy as tf.Tensor2D;
    return {
      x: () => multiply({ x: rows, weights }, { groupSizes, transpose: !transpose }),
      weights: () => weightsGradient(transpose ? { x: rows, dy: x } : { x, dy: rows }, { groupSizes })[0]!,
    };
  },
});

/**
 * Rows of each group times the matrix of the group, as a mixture of experts needs it (Gale et al., "MegaBlocks",
 * arXiv:2211.15841). A group may be empty; its matrix then gets a gradient of zeros. The caller owns the result.
 *
 * @param x float32[N, K]; the rows of group 0 come first, then those of group 1, …
 * @param weights float32[E, K, M]
 * @param groupSizes rows of each of the E groups, N in all; not to be changed after its use
 * @returns float32[N, M]
 * @throws ShapeError if sizes do not fit.
 */
export function groupedMatmul(x: tf.Tensor2D, weights: tf.Tensor3D, groupSizes: Int32Array): tf.Tensor2D {
  const rows = groupSizes.reduce((sum, size) => sum + size, 0);
  const fits = x.rank === 2 && weights.rank === 3 && x.shape[1] === weights.shape[1];
  const isPartition =
    groupSizes.length === weights.shape[0] && rows === x.shape[0] && groupSizes.every((size) => size >= 0);
  if (!fits || !isPartition) {
    throw new ShapeError({
      component: 'groupedMatmul',
      expected: 'x of [N, K], weights of [E, K, M] and E sizes of groups that make N',
      actual: `x ${shapeText(x.shape)}, weights ${shapeText(weights.shape)}, sizes ${shapeText([...groupSizes])}`,
    });
  }
  return multiply({ x, weights }, { groupSizes, transpose: false });
}

function groups(sizes: Int32Array): { start: number; rows: number }[] {
  let start = 0;
  return Array.from(sizes, (rows) => {
    start += rows;
    return { start: start - rows, rows };
  });
}

const slice = (x: tf.Tensor2D, start: number, rows: number): tf.Tensor2D =>
  tf.slice(x, [start, 0], [rows, x.shape[1]]);
