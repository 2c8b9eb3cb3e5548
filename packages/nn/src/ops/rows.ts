import * as tf from '@tensorflow/tfjs-core';

/** float32[…, D] as rows float32[R, D], without a copy. */
export function asRows(x: tf.Tensor): tf.Tensor2D {
  const width = x.shape.at(-1) ?? 1;
  return tf.reshape(x, [width === 0 ? 0 : x.size / width, width]);
}

/**
 * Σ over rows of `weight[r] · x[r, :]`, float32[D], for weights float32[R, 1], by default all one. A sum over the first
 * axis would transpose all of `x` on most backends. The column of weights is transposed by the flag: with a single row
 * on the left, wasm's general product beats the fast one, which first packs all of `x`.
 */
export function sumOfRows(x: tf.Tensor2D, weights: tf.Tensor2D = tf.ones([x.shape[0], 1])): tf.Tensor1D {
  return tf.reshape(tf.matMul(weights, x, true), [x.shape[1]]);
}
