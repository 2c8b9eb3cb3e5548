import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from './gpu';
import { filled, webgpuKernel } from './kernel';
import { sizeOf } from './program';
import { runRows, sumOverRow, writeOfRow } from './reductions';

/** How many elements a workgroup adds up, rather than one workgroup all of them. */
const ELEMENTS_AT_ONCE = 8192;

/** `mmllm/SumOfSquares`: `Σ x²` over all elements, float32[]. */
export const sumOfSquaresKernel = webgpuKernel<{ x: TensorInfo }, object>(
  'mmllm/SumOfSquares',
  'one pass over the memory, added in a fixed order',
  ({ gpu, inputs: { x } }) => {
    const parts = Math.max(1, Math.ceil(sizeOf(x.shape) / ELEMENTS_AT_ONCE));
    const width = Math.ceil(sizeOf(x.shape) / parts);
    const sums = runRows(gpu, {
      name: 'SumOfSquares',
      inputs: { x },
      shape: [parts],
      ints: { size: sizeOf(x.shape) },
      rows: parts,
      width,
      body: () => `
        ${sumOverRow('total', 'select(0.0, x[i] * x[i], i < uniforms.size)')}
        ${writeOfRow('total')}`,
    });
    return sumOf(gpu, sums);
  },
  [{ inputs: { x: filled([96], 2) }, attrs: {}, expected: [[384]] }],
);

/** The sum of all elements, by one workgroup; float32[]. */
export const sumOf = (gpu: Gpu, x: TensorInfo): TensorInfo =>
  runRows(gpu, {
    name: 'Sum',
    inputs: { x },
    shape: [],
    rows: 1,
    width: sizeOf(x.shape),
    body: () => `
      ${sumOverRow('total', 'x[i]')}
      ${writeOfRow('total')}`,
  });
