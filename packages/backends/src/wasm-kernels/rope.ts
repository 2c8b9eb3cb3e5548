import type * as tf from '@tensorflow/tfjs-core';
import { wasmKernel } from './call';

interface RopeInputs {
  /** float32[B, T, numHeads · d] */
  x: tf.TensorInfo;
  /** float32[B or 1, T, rotaryDim / 2] */
  cos: tf.TensorInfo;
  /** float32[B or 1, T, rotaryDim / 2] */
  sin: tf.TensorInfo;
}

interface RopeAttrs {
  numHeads: number;
  rotaryDim: number;
  interleaved: boolean;
  inverse: boolean;
}

/** `mmllm/Rope`: every pair of dimensions turned, in either layout and direction. */
export const ropeKernel = wasmKernel<RopeInputs, RopeAttrs>(
  'mmllm/Rope',
  'turns pairs in one pass instead of a product with a permutation and four more ops',
  ({ inputs: { x, cos, sin }, attrs, kernels, address, output }) => {
    const { numHeads, rotaryDim, interleaved, inverse } = attrs;
    const [batch, length, width] = x.shape as [number, number, number];
    const out = output(x.shape);
    kernels.rope(
      address(x),
      address(cos),
      address(sin),
      batch * length,
      cos.shape[0]! * length,
      numHeads,
      width / numHeads,
      rotaryDim / 2,
      Number(interleaved),
      Number(inverse),
      address(out),
    );
    return out;
  },
);
