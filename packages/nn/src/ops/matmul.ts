import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { defineOp } from './define-op';

export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

const multiply = defineOp<{ a: tf.Tensor; b: tf.Tensor }, Required<MatmulOptions>, 'a' | 'b'>({
  name: 'mmllm/MatMul',
  reference: ({ a, b }, { transposeA, transposeB }) => {
    const isPlain = [a, b].every(({ shape }) => shape.length === 2 || shape[0] === 1);
    if (tf.getBackend() !== 'wasm' || !isPlain) return tf.matMul(a, b, transposeA, transposeB);
    // Only the plain 2-D product runs on XNNPACK; with the transposition paid for it is still many times faster.
    const out = tf.matMul(asMatrix(a, transposeA), asMatrix(b, transposeB));
    return a.rank === 2 ? out : tf.reshape(out, [1, ...out.shape]);
  },
  inputsToSave: ['a', 'b'],
  backward: ({ dy, inputs: { a, b }, attrs: { transposeA, transposeB } }) => ({
    a: () =>
      unbroadcast(
        transposeA
          ? matmul(b, dy, { transposeA: transposeB, transposeB: true })
          : matmul(dy, b, { transposeB: !transposeB }),
        a.shape,
      ),
    b: () =>
      unbroadcast(
        transposeB
          ? matmul(dy, a, { transposeA: true, transposeB: transposeA })
          : matmul(a, dy, { transposeA: !transposeA }),
        b.shape,
      ),
  }),
});

/**
 * Matrix product of float32[M, K] and float32[K, N], or of batches float32[B, M, K] and float32[B, K, N] where either
 * batch may be 1. A transposed side lies as [K, M] or [N, K]. The caller owns the result.
 *
 * @throws ShapeError if ranks differ or are not 2 or 3, or sizes do not fit.
 */
export function matmul<T extends tf.Tensor>(
  a: T,
  b: tf.Tensor,
  { transposeA = false, transposeB = false }: MatmulOptions = {},
): T {
  const rank = a.shape.length;
  const innerA = a.shape[transposeA ? rank - 2 : rank - 1];
  const innerB = b.shape[transposeB ? rank - 1 : rank - 2];
  const [batchA, batchB] = [a.shape[0], b.shape[0]];
  const batchesFit = rank === 2 || batchA === batchB || batchA === 1 || batchB === 1;
  if ((rank !== 2 && rank !== 3) || b.shape.length !== rank || innerA !== innerB || !batchesFit) {
    throw new ShapeError({
      component: 'matmul',
      expected: `two matrices, or batches of them, with equal inner sizes (transposeA ${transposeA}, transposeB ${transposeB})`,
      actual: `[${a.shape.join(', ')}] and [${b.shape.join(', ')}]`,
    });
  }
  // The product of two matrices is a matrix, that of two batches a batch.
  return multiply({ a, b }, { transposeA, transposeB }) as T;
}

function asMatrix(x: tf.Tensor, transpose: boolean): tf.Tensor2D {
  const matrix = tf.reshape<tf.Rank.R2>(x, x.shape.slice(-2) as [number, number]);
  return transpose ? tf.transpose(matrix) : matrix;
}

function unbroadcast(gradient: tf.Tensor, shape: number[]): tf.Tensor {
  return shape.length === 3 && shape[0] === 1 && gradient.shape[0] !== 1
    ? tf.sum(gradient, 0, true)
    : gradient;
}
