import type { TensorInfo } from '@tensorflow/tfjs-core';
import { filled, webgpuKernel } from './kernel';

interface AdamWInputs {
  parameter: TensorInfo;
  gradient: TensorInfo;
  m: TensorInfo;
  v: TensorInfo;
  /** float32 scalar that the gradient is multiplied by first. */
  scale?: TensorInfo;
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
export const adamwKernel = webgpuKernel<AdamWInputs, AdamWAttrs>(
  'mmllm/AdamW',
  'three passes over the memory instead of one for each elementary op',
  ({ gpu, inputs: { parameter, gradient, m, v, scale }, attrs }) => {
    const { learningRate, beta1, beta2, eps, weightDecay, step } = attrs;
    const { shape } = parameter;
    const scaled = scale ? ', scaled' : '';
    const gradients = { gradient, ...(scale && { scale }) };
    const g = scale ? 'gradient[i] * scale[0]' : 'gradient[i]';
    const newM = gpu.elements({
      name: `AdamW, mean${scaled}`,
      inputs: { ...gradients, m },
      shape,
      floats: { keep: beta1, take: 1 - beta1 },
      value: () => `uniforms.keep * m[i] + uniforms.take * (${g})`,
    });
    const newV = gpu.elements({
      name: `AdamW, mean of squares${scaled}`,
      inputs: { ...gradients, v },
      shape,
      floats: { keep: beta2, take: 1 - beta2 },
      value: () => `uniforms.keep * v[i] + uniforms.take * (${g}) * (${g})`,
    });
    // √(v / c) + eps, with c the bias correction, is (√v + eps·√c) / √c.
    const correction = Math.sqrt(1 - beta2 ** step);
    const newParameter = gpu.elements({
      name: 'AdamW, parameter',
      inputs: { parameter, m: newM, v: newV },
      shape,
      floats: {
        rate: (learningRate * correction) / (1 - beta1 ** step),
        eps: eps * correction,
        keep: 1 - learningRate * weightDecay,
      },
      value: () => 'uniforms.keep * parameter[i] - uniforms.rate * m[i] / (sqrt(v[i]) + uniforms.eps)',
    });
    return [newParameter, newM, newV];
  },
  [
    {
      inputs: {
        parameter: filled([2], 1),
        gradient: filled([2], 2),
        m: filled([2], 0),
        v: filled([2], 0),
      },
      attrs: { learningRate: 0.5, beta1: 0.5, beta2: 0.75, eps: 0, weightDecay: 0, step: 1 },
      expected: [
        [0.5, 0.5],
        [1, 1],
        [1, 1],
      ],
    },
  ],
);
