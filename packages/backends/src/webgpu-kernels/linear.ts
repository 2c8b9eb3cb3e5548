import type { TensorInfo } from '@tensorflow/tfjs-core';
import { activated } from './activate';
import type { Activation } from './activations';
import { filled, webgpuKernel } from './kernel';
import { multiply } from './product';
import { sizeOf } from './program';

interface LinearInputs {
  /** float32[…, In] */
  x: TensorInfo;
  /** float32[In, Out] */
  weight: TensorInfo;
  /** float32[Out] */
  bias?: TensorInfo;
}

/** `mmllm/Linear`: the result, and with an activation also what went into it. */
export const linearKernel = webgpuKernel<LinearInputs, { activation?: Activation }>(
  'mmllm/Linear',
  'tiled, with the bias added on the way out',
  ({ gpu, inputs: { x, weight, bias }, attrs: { activation } }) => {
    const [depth, columns] = weight.shape as [number, number];
    const leading = x.shape.slice(0, -1);
    const out = multiply(gpu, {
      ...{ a: x, b: weight, bias, transposeA: false, transposeB: false },
      ...{ batchA: 1, batchB: 1, rows: sizeOf(leading), depth, columns },
      shape: [...leading, columns],
    });
    return activation ? [activated(gpu, out, activation), out] : out;
  },
  [1, 6].map((rows) => ({
    inputs: { x: filled([rows, 40], 2), weight: filled([40, 3], 0.5), bias: filled([3], -1) },
    attrs: { activation: 'relu' },
    expected: [filled([rows, 3], 39).data, filled([rows, 3], 39).data],
  })),
);
