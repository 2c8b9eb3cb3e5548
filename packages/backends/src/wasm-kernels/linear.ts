import type * as tf from '@tensorflow/tfjs-core';
import { type Activation, activationNumber, NO_ACTIVATION } from './activation-names';
import { type Call, sizeOf, wasmKernel } from './call';

export interface LinearInputs {
  /** float32[…, In] */
  x: tf.TensorInfo;
  /** float32[In, Out] */
  weight: tf.TensorInfo;
  /** float32[Out] */
  bias?: tf.TensorInfo;
  /** float32[…, Out] */
  residual?: tf.TensorInfo;
}

interface LinearAttrs {
  activation?: Activation;
}

/** `activation(x · weight + bias) + residual`, and with an activation what went into it. */
export function multiplied({
  inputs: { x, weight, bias, residual },
  attrs: { activation },
  resultOnly,
  kernels,
  address,
  right,
  output,
  withScratch,
}: Call<LinearInputs, LinearAttrs>): tf.TensorInfo | tf.TensorInfo[] {
  const [k, n] = weight.shape as [number, number];
  const leading = x.shape.slice(0, -1);
  const m = sizeOf(leading);
  const out = output([...leading, n]);
  const activated = activation && (resultOnly ? out : output(out.shape));
  const finished = activated ?? (residual && out);
  if (m * n > 0) {
    const { address: at, layout } = right({ tensor: weight, n, k, transpose: false }, m);
    withScratch(kernels.matmulScratch(m, n, k), (scratch) => {
      kernels.matmul(
        address(x),
        0,
        0,
        at,
        0,
        layout,
        bias ? address(bias) : 0,
        address(out),
        1,
        m,
        n,
        k,
        activation ? activationNumber(activation) : NO_ACTIVATION,
        residual ? address(residual) : 0,
        finished ? address(finished) : 0,
        scratch,
      );
    });
  }
  return activated && !resultOnly ? [activated, out] : out;
}

/** `mmllm/Linear` */
export const linearKernel = wasmKernel<LinearInputs, LinearAttrs>(
  'mmllm/Linear',
  'packed SIMD product that starts from the bias and is finished in the cache',
  multiplied,
);
