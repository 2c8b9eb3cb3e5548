import * as tf from '@tensorflow/tfjs-core';
import { defineKernel } from './define-op';

const sum = defineKernel<{ x: tf.Tensor }, object>({
  name: 'mmllm/SumOfSquares',
  reference: ({ x }) => tf.sum(tf.square(x)),
});

/**
 * `Σ x²` over all elements of a float32 tensor, as a float32 scalar: NaN or Infinity if an element is, or if the sum
 * is too large for float32. It has no gradient. The caller owns the result.
 */
export const sumOfSquares = (x: tf.Tensor): tf.Scalar => sum({ x }, {})[0] as tf.Scalar;
