import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { ElementProgram, Gpu } from './gpu';

const ROWS_AT_ONCE = 64;

export interface ColumnSums extends Pick<ElementProgram, 'name' | 'inputs'> {
  readonly rows: number;
  readonly width: number;
  /** WGSL in terms of `row` and of `at`, the index in a tensor of rows. */
  readonly term: string;
}

/**
 * Sums over the rows of float32[rows, width], as float32[width]: first over some rows at a time, then over those sums,
 * always in the same order.
 */
export function columnSums(gpu: Gpu, { name, inputs, rows, width, term }: ColumnSums): TensorInfo {
  const parts = Math.max(1, Math.ceil(rows / ROWS_AT_ONCE));
  const sums = gpu.elements({
    name,
    inputs,
    shape: parts === 1 ? [width] : [parts, width],
    ints: { rows, width },
    prelude: () => `
      fn sumOfSome(i : i32) -> f32 {
        let first = i / uniforms.width * ${ROWS_AT_ONCE};
        var sum = 0.0;
        for (var row = first; row < min(first + ${ROWS_AT_ONCE}, uniforms.rows); row++) {
          let at = row * uniforms.width + i % uniforms.width;
          sum += ${term};
        }
        return sum;
      }`,
    value: () => 'sumOfSome(i)',
  });
  if (parts === 1) return sums;
  return columnSums(gpu, { name: 'ColumnSums', inputs: { x: sums }, rows: parts, width, term: 'x[at]' });
}
