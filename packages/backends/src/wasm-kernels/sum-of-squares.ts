import type * as tf from '@tensorflow/tfjs-core';
import { sizeOf, wasmKernel } from './call';

/** `mmllm/SumOfSquares`: `Σ x²` over all elements, float32[]. */
export const sumOfSquaresKernel = wasmKernel<{ x: tf.TensorInfo }, object>(
  'mmllm/SumOfSquares',
  'one pass over the memory, summed in float64',
  ({ inputs: { x }, kernels, address, output, withScratch }) => {
    const n = sizeOf(x.shape);
    const out = output([]);
    withScratch(kernels.sumOfSquaresScratch(n), (scratch) => {
      kernels.sumOfSquares(address(x), n, address(out), scratch);
    });
    return out;
  },
);
