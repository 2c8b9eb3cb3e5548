import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { matmul } from './matmul';

/** Sizes of a grid, which lies row by row. */
export interface GridSize {
  readonly rows: number;
  readonly columns: number;
}

/** `weights[i · from + k]`: how much place k of `from` places counts in cell i of `to` cells. */
function cellWeights(from: number, to: number): Float32Array {
  const weights = new Float32Array(to * from);
  for (let cell = 0; cell < to; cell++) {
    const first = Math.floor((cell * from) / to);
    const end = Math.ceil(((cell + 1) * from) / to);
    weights.fill(1 / (end - first), cell * from + first, cell * from + end);
  }
  return weights;
}

/** float32[to, from], both grids row by row. */
function poolMatrix(from: GridSize, to: GridSize): Float32Array {
  const [vertical, horizontal] = [cellWeights(from.rows, to.rows), cellWeights(from.columns, to.columns)];
  const matrix = new Float32Array(to.rows * to.columns * from.rows * from.columns);
  let at = 0;
  for (let cell = 0; cell < to.rows * to.columns; cell++) {
    const [top, left] = [Math.floor(cell / to.columns) * from.rows, (cell % to.columns) * from.columns];
    for (let row = 0; row < from.rows; row++) {
      for (let column = 0; column < from.columns; column++) {
        matrix[at++] = vertical[top + row]! * horizontal[left + column]!;
      }
    }
  }
  return matrix;
}

/**
 * Means over windows that share a grid out among fewer (or more) cells: cell i of n takes places ⌊i·N/n⌋ to
 * ⌈(i+1)·N/n⌉ (exclusive), as PyTorch's `AdaptiveAvgPool2d`; windows overlap where n does not divide N. The caller owns the
 * result.
 *
 * @param x float32[B, from.rows · from.columns, D]
 * @returns float32[B, to.rows · to.columns, D]
 * @throws ShapeError if x has other sizes.
 */
export function adaptiveAveragePool(x: tf.Tensor3D, from: GridSize, to: GridSize): tf.Tensor3D {
  const places = from.rows * from.columns;
  if (x.rank !== 3 || x.shape[1] !== places) {
    throw new ShapeError({
      component: 'adaptiveAveragePool',
      expected: `[B, ${places}, D] for a grid of ${from.rows}×${from.columns}`,
      actual: shapeText(x.shape),
    });
  }
  return tf.tidy(() => {
    const weights = tf.tensor3d(poolMatrix(from, to), [1, to.rows * to.columns, places]);
    return matmul(weights, x);
  });
}
