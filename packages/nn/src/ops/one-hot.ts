import * as tf from '@tensorflow/tfjs-core';

/**
 * For kernels: float32[N, depth] with a 1 at each id. Asked for float32 itself, tfjs's kernel on wasm writes the bits
 * of integers, and it refuses a depth of 1; comparing with a range is over a hundred times slower there.
 */
export function oneHot(ids: Int32Array, depth: number): tf.Tensor2D {
  if (depth === 1) return tf.ones([ids.length, 1]);
  return tf.cast(tf.oneHot(tf.tensor1d(ids, 'int32'), depth), 'float32') as tf.Tensor2D;
}
