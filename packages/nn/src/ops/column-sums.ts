import type * as tf from '@tensorflow/tfjs-core';
import { defineKernel } from './define-op';
import { asRows, sumOfRows } from './rows';

const sums = defineKernel<{ x: tf.Tensor }, object>({
  name: 'mmllm/ColumnSums',
  reference: ({ x }) => sumOfRows(asRows(x)),
});

/** For gradients of a vector that was added to every row: Σ over rows of float32[…, D], float32[D]. */
export function columnSums(x: tf.Tensor): tf.Tensor {
  return sums({ x }, {})[0]!;
}
