import type * as tf from '@tensorflow/tfjs-core';
import { type Activation, activationNumber } from './activation-names';
import { sizeOf, wasmKernel } from './call';

interface LinearInputs {
  /** float32[…, In] */
  x: tf.TensorInfo;
  /** float32[In, Out] */
  weight: tf.TensorInfo;
  /** float32[Out] */
  bias?: tf.TensorInfo;
}

/** `mmllm/Linear`: `x · weight + bias`; with an activation its value, and what went into it. */
export const linearKernel = wasmKernel<LinearInputs, { activation?: Activation }>(
  'mmllm/Linear',
  'packed SIMD product that starts from the bias',
  ({ inputs: { x, weight, bias }, attrs: { activation }, kernels, address, output, withScratch }) => {
    const [k, n] = weight.shape as [number, number];
    const leading = x.shape.slice(0, -1);
    const m = sizeOf(leading);
    const out = output([...leading, n]);
    const activated = activation && output(out.shape);
    if (m * n > 0) {
      withScratch(kernels.matmulScratch(m, n, k), (scratch) => {
        const from = bias ? address(bias) : 0;
        kernels.matmul(address(x), 0, 0, address(weight), 0, 0, from, address(out), 1, m, n, k, scratch);
      });
    }
    if (!activation || !activated) return out;
    kernels.activate(activationNumber(activation), address(out), address(activated), m * n);
    return [activated, out];
  },
);
