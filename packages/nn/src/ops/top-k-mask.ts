import * as tf from '@tensorflow/tfjs-core';
import { defineOp } from './define-op';

const mask = defineOp<{ x: tf.Tensor2D }, { k: number }, 'x', tf.Tensor2D>({
  name: 'mmllm/TopKMask',
  reference: ({ x }, { k }) => {
    const [numRows, width] = x.shape;
    const own = tf.reshape(x, [numRows, width, 1]);
    const others = tf.reshape(x, [numRows, 1, width]);
    const isBefore = Float32Array.from({ length: width ** 2 }, (_, i) =>
      i % width < Math.floor(i / width) ? 1 : 0,
    );
    const equals = tf.mul(
      tf.cast(tf.equal(others, own), 'float32'),
      tf.tensor3d(isBefore, [1, width, width]),
    );
    const rank = tf.sum(tf.add(tf.cast(tf.greater(others, own), 'float32'), equals), 2);
    return tf.cast(tf.less(rank, k - 0.5), 'float32');
  },
  inputsToSave: ['x'],
  backward: ({ inputs: { x } }) => ({ x: () => tf.zeros(x.shape) }),
});

/**
 * 1 for the k largest values of each row and for NaN, 0 for the others; of equal ones the first. Found by comparing every
 * value with every other of its row: tfjs's `topk` has no gradient, and that of a choice is zero. The caller owns the
 * result.
 *
 * @param x float32[N, E]
 * @returns float32[N, E]
 */
export const topKMask = (x: tf.Tensor2D, k: number): tf.Tensor2D => mask({ x }, { k });
