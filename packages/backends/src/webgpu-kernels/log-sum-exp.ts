import type { TensorInfo } from '@tensorflow/tfjs-core';
import { filled, webgpuKernel } from './kernel';
import { rowsOf } from './program';
import { maxOverRow, runRows, sumOverRow, writeOfRow } from './reductions';

/**
 * WGSL: declares `norm`, the log-sum-exp of a row of `x`. The largest value counts as one without a difference being
 * taken, since there is none between infinities; NaN is looked for, because `max` and `log` may lose it.
 */
export const logSumExpOfRow = (x: string): string => `
  ${maxOverRow('largest', `${x}[i]`)}
  ${sumOverRow('total', `select(select(exp(${x}[i] - largest), 1.0, ${x}[i] == largest), ${x}[i], isnan(${x}[i]))`)}
  let norm = select(largest + log(total), total, isnan(total));`;

const ln = (...values: number[]) => values.map(Math.log);

/** `mmllm/LogSumExp` over the last axis. */
export const logSumExpKernel = webgpuKernel<{ x: TensorInfo }, object>(
  'mmllm/LogSumExp',
  'reads each row twice, by a workgroup of its own',
  ({ gpu, inputs: { x } }) =>
    runRows(gpu, {
      name: 'LogSumExp',
      inputs: { x },
      shape: x.shape.slice(0, -1),
      ...rowsOf(x),
      body: () => `
        ${logSumExpOfRow('x')}
        ${writeOfRow('norm')}`,
    }),
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
