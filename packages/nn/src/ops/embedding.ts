import { ConfigError, type HeldWeight, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineKernel, defineOp } from './define-op';
import { heldRows } from './held/rows';
import { matmul } from './matmul';
import { oneHot } from './one-hot';

interface EmbeddingAttrs {
  ids: Int32Array;
}

/** `dTable[v] = Σ over tokens with id v of dy`. */
const tableGradient = defineKernel<{ dy: tf.Tensor2D }, EmbeddingAttrs & { vocabSize: number }>({
  name: 'mmllm/EmbeddingGrad',
  reference: ({ dy }, { ids, vocabSize }) => {
    const backend = tf.getBackend();
    // On webgpu that kernel adds with atomics, in an order and with a rounding that differ from run to run.
    const hasKernel = backend !== 'webgpu' && tf.getKernel(tf.UnsortedSegmentSum, backend);
    return hasKernel
      ? tf.unsortedSegmentSum(dy, tf.tensor1d(ids, 'int32'), vocabSize)
      : sumByProduct(dy, ids, vocabSize);
  },
});

const lookUp = defineOp<{ table: tf.Tensor }, EmbeddingAttrs, 'table'>({
  name: 'mmllm/Embedding',
  reference: ({ table }, { ids }) => tf.gather(table, tf.tensor1d(ids, 'int32')),
  inputsToSave: ['table'],
  backward: ({ dy, inputs: { table }, attrs: { ids } }) => ({
    table: () => tableGradient({ dy: dy as tf.Tensor2D }, { ids, vocabSize: table.shape[0]! })[0]!,
  }),
});

/**
 * Rows of a table by their ids; equal ids may occur any number of times. The caller owns the result.
 *
 * @param table float32[V, D], or a held table, which has no gradient
 * @param ids in [0, V), as many as `shape` has elements
 * @returns float32[...shape, D]
 * @throws ShapeError if `ids` does not fill `shape`.
 * @throws ConfigError for an id outside the table.
 */
export function embedding(
  table: tf.Tensor | HeldWeight,
  ids: Int32Array,
  shape: readonly number[],
): tf.Tensor {
  const [vocabSize, width] = table.shape as [number, number];
  if (table.shape.length !== 2 || ids.length !== tf.util.sizeFromShape([...shape])) {
    throw new ShapeError({
      component: 'embedding',
      expected: `a table of [V, D] and ids of ${shapeText(shape)}`,
      actual: `${shapeText(table.shape)} and ${ids.length} ids`,
    });
  }
  const outside = ids.find((id) => id < 0 || id >= vocabSize);
  if (outside !== undefined) {
    throw new ConfigError({
      component: 'embedding',
      expected: `ids from 0 to ${vocabSize - 1}`,
      actual: `${outside}`,
    });
  }
  return tf.tidy(() => {
    const rows = 'packed' in table ? heldRows(table, ids) : lookUp({ table }, { ids });
    return tf.reshape(rows, [...shape, width]);
  });
}

/** Sums for the ids that occur, as a product with their one-hot rows, put in their places. */
function sumByProduct(dy: tf.Tensor2D, ids: Int32Array, vocabSize: number): tf.Tensor {
  const used = [...new Set(ids)];
  // Ids that do not occur take the row of zeros behind the sums.
  const places = new Int32Array(vocabSize).fill(used.length);
  for (const [place, id] of used.entries()) places[id] = place;
  const isOf = oneHot(
    ids.map((id) => places[id]!),
    used.length,
  );
  const sums = matmul(isOf, dy, { transposeA: true });
  return tf.gather(tf.concat([sums, tf.zeros([1, dy.shape[1]])]), tf.tensor1d(places, 'int32'));
}
