import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from './gpu';
import { filled, webgpuKernel } from './kernel';
import { rowsOf } from './layer-norm';
import { maxOverRow, runRows, sumOverRow, writeOfRow } from './reductions';

/** WGSL: declares `norm`, the log-sum-exp of a row of `x`; a largest value that is not finite is the result. */
export const logSumExpOfRow = (x: string): string => `
  ${maxOverRow('largest', `${x}[i]`)}
  ${sumOverRow('total', `exp(${x}[i] - largest)`)}
  let norm = select(largest, largest + log(total), abs(largest) <= 3.4028234e38);`;

/** The log-sum-exp of every row. */
export const logSumExpOfRows = (gpu: Gpu, x: TensorInfo, shape: readonly number[]): TensorInfo =>
  runRows(gpu, {
    name: 'LogSumExp',
    inputs: { x },
    shape,
    ...rowsOf(x),
    body: () => `
      ${logSumExpOfRow('x')}
      ${writeOfRow('norm')}`,
  });

const ln = (...values: number[]) => values.map(Math.log);

/** `mmllm/LogSumExp` over the last axis. */
export const logSumExpKernel = webgpuKernel<{ x: TensorInfo }, object>(
  'mmllm/LogSumExp',
  'reads each row twice, by a workgroup of its own',
  ({ gpu, inputs: { x } }) => logSumExpOfRows(gpu, x, x.shape.slice(0, -1)),
  [{ inputs: { x: filled([2, 96], 0) }, attrs: {}, expected: [ln(96, 96)] }],
);

/** `mmllm/LogSumExpGrad`: `softmax(x) · dy`, and zero for a row whose log-sum-exp is not finite. */
export const logSumExpGradKernel = webgpuKernel<{ dy: TensorInfo; x: TensorInfo; out: TensorInfo }, object>(
  'mmllm/LogSumExpGrad',
  'no softmax of its own: one pass over the memory',
  ({ gpu, inputs: { dy, x, out } }) => {
    const { width } = rowsOf(x);
    return gpu.elements({
      name: 'LogSumExpGrad',
      inputs: { dy, x, norms: out },
      shape: x.shape,
      ints: { width },
      prelude: () => `
        fn gradientAt(i : i32) -> f32 {
          let norm = norms[i / uniforms.width];
          if (!(abs(norm) <= 3.4028234e38)) { return 0.0; }
          return exp(x[i] - norm) * dy[i / uniforms.width];
        }`,
      value: () => 'gradientAt(i)',
    });
  },
  [
    {
      inputs: { dy: filled([2], 3), x: filled([2, 2], 1), out: filled([2], 1) },
      attrs: {},
      expected: [[3, 3, 3, 3]],
    },
  ],
);
