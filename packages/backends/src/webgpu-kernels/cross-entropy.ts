import type { TensorInfo } from '@tensorflow/tfjs-core';
import { filled, webgpuKernel } from './kernel';
import { rowsOf } from './layer-norm';
import { logSumExpOfRow, logSumExpOfRows } from './log-sum-exp';
import { runRows, writeOfRow } from './reductions';
import { sumOf } from './sum-of-squares';

interface CrossEntropyAttrs {
  /** The class of each row. */
  targets: Int32Array;
  /** What each row counts. */
  weights: Float32Array;
}

const REASON = 'straight from logits, a workgroup for each row: no probabilities are kept';

const PROBE = { targets: Int32Array.of(1, 0), weights: Float32Array.of(0.5, 0.25) };

/** `mmllm/CrossEntropy`: `Σ weight · (log Σ exp(logits) − logits[target])`, a scalar. */
export const crossEntropyKernel = webgpuKernel<{ logits: TensorInfo }, CrossEntropyAttrs>(
  'mmllm/CrossEntropy',
  REASON,
  ({ gpu, inputs: { logits }, attrs }) => {
    const { rows, width } = rowsOf(logits);
    const losses = runRows(gpu, {
      name: 'CrossEntropy, losses',
      inputs: { logits, targets: gpu.upload(attrs.targets), weights: gpu.upload(attrs.weights) },
      shape: [rows],
      rows,
      width,
      body: () => `
        ${logSumExpOfRow('logits')}
        ${writeOfRow('(norm - logits[begin + targets[row]]) * weights[row]')}`,
    });
    return sumOf(gpu, losses);
  },
  [{ inputs: { logits: filled([2, 96], 1) }, attrs: PROBE, expected: [[0.75 * Math.log(96)]] }],
);

/** `mmllm/CrossEntropyGrad`: `(softmax(logits) − onehot(targets)) · weight · dy`. */
export const crossEntropyGradKernel = webgpuKernel<{ logits: TensorInfo; dy: TensorInfo }, CrossEntropyAttrs>(
  'mmllm/CrossEntropyGrad',
  REASON,
  ({ gpu, inputs: { logits, dy }, attrs }) => {
    const { rows, width } = rowsOf(logits);
    return gpu.elements({
      name: 'CrossEntropyGrad',
      inputs: {
        logits,
        dy,
        norms: logSumExpOfRows(gpu, logits, [rows]),
        targets: gpu.upload(attrs.targets),
        weights: gpu.upload(attrs.weights),
      },
      shape: logits.shape,
      ints: { width },
      prelude: () => `
        fn gradientAt(row : i32, column : i32) -> f32 {
          let share = exp(logits[row * uniforms.width + column] - norms[row]);
          return (share - select(0.0, 1.0, column == targets[row])) * weights[row] * dy[0];
        }`,
      value: () => 'gradientAt(i / uniforms.width, i % uniforms.width)',
    });
  },
  [
    {
      inputs: { logits: filled([2, 2], 1), dy: filled([], 4) },
      attrs: PROBE,
      expected: [[1, -1, -0.5, 0.5]],
    },
  ],
);
