import type * as tf from '@tensorflow/tfjs-core';
import { sizeOf, wasmKernel } from './call';

interface AdamWInputs {
  /** A variable, as m and v are. */
  parameter: tf.TensorInfo;
  gradient: tf.TensorInfo;
  m: tf.TensorInfo;
  v: tf.TensorInfo;
  /** float32 scalar that the gradient is multiplied by first. */
  scale?: tf.TensorInfo;
}

interface AdamWAttrs {
  learningRate: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  /** From 1. */
  step: number;
}

/** `mmllm/AdamW`: the new parameter, m and v, in the place of the old ones unless anything else holds those. */
export const adamwKernel = wasmKernel<AdamWInputs, AdamWAttrs>(
  'mmllm/AdamW',
  'one pass over the memory instead of one for each elementary op',
  ({ inputs: { parameter, gradient, m, v, scale }, attrs, kernels, address, overwrite, read }) => {
    const { learningRate, beta1, beta2, eps, weightDecay, step } = attrs;
    const [newParameter, newM, newV] = [overwrite(parameter), overwrite(m), overwrite(v)];
    const factor = scale ? read(scale) : 1;
    // √(v / c) + eps, with c the bias correction, is (√v + eps·√c) / √c.
    const correction = Math.sqrt(1 - beta2 ** step);
    kernels.adamw(
      address(parameter),
      address(gradient),
      address(m),
      address(v),
      sizeOf(parameter.shape),
      beta1,
      (1 - beta1) * factor,
      beta2,
      (1 - beta2) * factor ** 2,
      eps * correction,
      (learningRate * correction) / (1 - beta1 ** step),
      1 - learningRate * weightDecay,
      address(newParameter),
      address(newM),
      address(newV),
    );
    return [newParameter, newM, newV];
  },
);
