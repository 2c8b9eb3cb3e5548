import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type Activation, activationCode } from './activations';
import type { Gpu } from './gpu';
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
  /** float32[…, Out] */
  residual?: TensorInfo;
}

/** `activation(x) + residual` in one pass; with an activation, what went into it comes second. */
export function finished(
  gpu: Gpu,
  x: TensorInfo,
  { activation, residual }: { activation?: Activation | undefined; residual?: TensorInfo | undefined },
): TensorInfo | TensorInfo[] {
  if (!activation && !residual) return x;
  const value = activation ? 'activation(x[i])' : 'x[i]';
  const result = gpu.elements({
    name: `Finish ${activation ?? ''}${residual ? ' + residual' : ''}`,
    inputs: { x, ...(residual && { residual }) },
    shape: x.shape,
    prelude: () => (activation ? activationCode(activation) : ''),
    value: () => (residual ? `${value} + residual[i]` : value),
  });
  return activation ? [result, x] : result;
}

/** `mmllm/Linear`: the result, and with an activation also what went into it. */
export const linearKernel = webgpuKernel<LinearInputs, { activation?: Activation }>(
  'mmllm/Linear',
  'tiled, with the bias added on the way out',
  ({ gpu, inputs: { x, weight, bias, residual }, attrs: { activation } }) => {
    const [depth, columns] = weight.shape as [number, number];
    const leading = x.shape.slice(0, -1);
    const out = multiply(gpu, {
      ...{ a: x, b: weight, bias, transposeA: false, transposeB: false },
      ...{ batchA: 1, batchB: 1, rows: sizeOf(leading), depth, columns },
      shape: [...leading, columns],
    });
    return finished(gpu, out, { activation, residual });
  },
  [1, 6].map((rows) => ({
    inputs: {
      x: filled([rows, 40], 2),
      weight: filled([40, 3], 0.5),
      bias: filled([3], -1),
      residual: filled([rows, 3], 2),
    },
    attrs: { activation: 'relu' },
    expected: [filled([rows, 3], 41).data, filled([rows, 3], 39).data],
  })),
);
