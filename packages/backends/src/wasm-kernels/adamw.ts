import type * as tf from '@tensorflow/tfjs-core';
import { sizeOf, wasmKernel } from './call';

interface AdamWInputs {
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

/** `mmllm/AdamW`: the new parameter, m and v. */
export const adamwKernel = wasmKernel<AdamWInputs, AdamWAttrs>(
  'mmllm/AdamW',
  'one pass over the memory instead of one for each elementary op',
  ({ inputs: { parameter, gradient, m, v, scale }, attrs, kernels, address, output, read }) => {
    const { learningRate, beta1, beta2, eps, weightDecay, step } = attrs;
    const [newParameter, newM, newV] = [0, 1, 2].map(() => output(parameter.shape)) as [
      tf.TensorInfo,
      tf.TensorInfo,
      tf.TensorInfo,
    ];
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
