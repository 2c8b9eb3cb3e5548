import type { TensorInfo } from '@tensorflow/tfjs-core';
import { filled, webgpuKernel } from './kernel';
import { logSumExpOfRow } from './log-sum-exp';
import { rowsOf } from './program';
import { runRows, sumOverRow, writeOfRow } from './reductions';

interface CrossEntropyAttrs {
  /** The class of each row. */
  targets: Int32Array;
  /** What each row counts, 0 for none. */
  weights: Float32Array;
}

const REASON = 'straight from logits, a workgroup for each row: no probabilities are kept';

const PROBE = { targets: Int32Array.of(1, 0), weights: Float32Array.of(0.5, 0) };
const LOSS = Math.log(96);

/**
 * `mmllm/CrossEntropy`: `Σ weight · (log Σ exp(logits) − logits[target])`, a scalar, and `log Σ exp(logits)` of every
 * row. Rows of no weight are not read and have zero.
 */
export const crossEntropyKernel = webgpuKernel<{ logits: TensorInfo }, CrossEntropyAttrs>(
  'mmllm/CrossEntropy',
  REASON,
  ({ gpu, inputs: { logits }, attrs }) => {
    const { rows, width } = rowsOf(logits);
    const weights = gpu.upload(attrs.weights);
    const norms = runRows(gpu, {
      name: 'CrossEntropy, log-sum-exp',
      inputs: { logits, weights },
      shape: [rows],
      rows,
      width,
      body: () => `
        let counts = weights[row] > 0.0;
        if (!counts) { end = begin; }
        ${logSumExpOfRow('logits')}
        ${writeOfRow('select(0.0, norm, counts)')}`,
    });
    const loss = runRows(gpu, {
      name: 'CrossEntropy, loss',
      inputs: { logits, norms, targets: gpu.upload(attrs.targets), weights },
      shape: [],
      ints: { classes: width },
      rows: 1,
      width: rows,
      body: () => `
        ${sumOverRow('total', 'select(0.0, (norms[i] - logits[i * uniforms.classes + targets[i]]) * weights[i], weights[i] > 0.0)')}
        ${writeOfRow('total')}`,
    });
    return [loss, norms];
  },
  [{ inputs: { logits: filled([2, 96], 1) }, attrs: PROBE, expected: [[LOSS / 2], [LOSS + 1, 0]] }],
);

/** `mmllm/CrossEntropyGrad`: `(softmax(logits) − onehot(targets)) · weight · dy`, zero for rows of no weight. */
export const crossEntropyGradKernel = webgpuKernel<
  { logits: TensorInfo; logSumExp: TensorInfo; dy: TensorInfo },
  CrossEntropyAttrs
>(
  'mmllm/CrossEntropyGrad',
  'one pass over the logits',
  ({ gpu, inputs: { logits, logSumExp, dy }, attrs }) =>
    gpu.elements({
      name: 'CrossEntropyGrad',
      inputs: {
        ...{ logits, logSumExp, dy },
        targets: gpu.upload(attrs.targets),
        weights: gpu.upload(attrs.weights),
      },
      shape: logits.shape,
      ints: { width: rowsOf(logits).width },
      prelude: () => `
        fn gradientAt(row : i32, column : i32) -> f32 {
          if (weights[row] == 0.0) { return 0.0; }
          let share = exp(logits[row * uniforms.width + column] - logSumExp[row]);
          return (share - select(0.0, 1.0, column == targets[row])) * weights[row] * dy[0];
        }`,
      value: () => 'gradientAt(i / uniforms.width, i % uniforms.width)',
    }),
  [
    {
      inputs: {
        logits: filled([2, 2], 0),
        logSumExp: filled([2], Math.LN2),
        dy: filled([], 4),
      },
      attrs: PROBE,
      expected: [[1, -1, 0, 0]],
    },
  ],
);
