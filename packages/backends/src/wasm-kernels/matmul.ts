import type * as tf from '@tensorflow/tfjs-core';
import { NO_ACTIVATION } from './activation-names';
import { wasmKernel } from './call';

interface MatmulInputs {
  /** float32[M, K] or [B, M, K]; transposed [K, M] or [B, K, M] */
  a: tf.TensorInfo;
  /** float32[K, N] or [B, K, N]; transposed [N, K] or [B, N, K] */
  b: tf.TensorInfo;
}

interface MatmulAttrs {
  transposeA: boolean;
  transposeB: boolean;
}

/** `mmllm/MatMul`: matrices or batches of them, where either batch may be 1. */
export const matmulKernel = wasmKernel<MatmulInputs, MatmulAttrs>(
  'mmllm/MatMul',
  'packed SIMD product; the stock one is slow for batches and transposed sides',
  ({ inputs: { a, b }, attrs: { transposeA, transposeB }, kernels, address, right, output, withScratch }) => {
    const [batchA, ...sidesA] = a.shape.length === 3 ? a.shape : [1, ...a.shape];
    const [batchB, ...sidesB] = b.shape.length === 3 ? b.shape : [1, ...b.shape];
    const [m, k] = transposeA ? sidesA.toReversed() : sidesA;
    const n = sidesB[transposeB ? 0 : 1]!;
    const batch = batchA === 1 ? batchB! : batchA!;
    const out = output(a.shape.length === 3 ? [batch, m!, n] : [m!, n]);
    if (batch * m! * n === 0) return out;
    // Rows of all samples stand below each other, so one right side for all makes one product.
    const rows = batchB === 1 && !transposeA ? batch * m! : m!;
    const b1 = { address: address(b), layout: Number(transposeB) };
    const side = batchB === 1 ? right({ tensor: b, n, k: k!, transpose: transposeB }, batch * m!) : b1;
    withScratch(kernels.matmulScratch(rows, n, k!), (scratch) => {
      kernels.matmul(
        address(a),
        batchA === 1 ? 0 : 4 * m! * k!,
        Number(transposeA),
        side.address,
        batchB === 1 ? 0 : 4 * k! * n,
        side.layout,
        0,
        address(out),
        (batch * m!) / rows,
        rows,
        n,
        k!,
        NO_ACTIVATION,
        0,
        0,
        scratch,
      );
    });
    return out;
  },
);
