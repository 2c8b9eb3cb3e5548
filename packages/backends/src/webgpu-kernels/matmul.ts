import type { TensorInfo } from '@tensorflow/tfjs-core';
import { filled, webgpuKernel } from './kernel';
import { multiply } from './product';

interface MatmulInputs {
  /** float32[M, K] or float32[B, M, K]; transposed as [K, M] */
  a: TensorInfo;
  /** float32[K, N] or float32[B, K, N]; transposed as [N, K]. Either batch may be 1. */
  b: TensorInfo;
}

interface MatmulAttrs {
  transposeA: boolean;
  transposeB: boolean;
}

/** `mmllm/MatMul` */
export const matmulKernel = webgpuKernel<MatmulInputs, MatmulAttrs>(
  'mmllm/MatMul',
  'tiled with every transpose, and no copies at edges or for batches',
  ({ gpu, inputs: { a, b }, attrs: { transposeA, transposeB } }) => {
    const [lastA, lastB] = [a.shape.slice(-2), b.shape.slice(-2)] as [number, number][];
    const [rows, depth] = transposeA ? lastA!.toReversed() : lastA!;
    const columns = lastB![transposeB ? 0 : 1];
    const [batchA, batchB] = [a, b].map(({ shape }) => (shape.length === 2 ? 1 : shape[0]!));
    const batch = batchA === 1 ? batchB! : batchA!;
    return multiply(gpu, {
      ...{ a, b, transposeA, transposeB },
      ...{ batchA: batchA!, batchB: batchB!, rows: rows!, depth: depth!, columns },
      shape: [...(a.shape.length === 2 ? [] : [batch]), rows!, columns],
    });
  },
  [1, 6].map((rows) => ({
    inputs: { a: filled([rows, 40], 2), b: filled([40, 3], 0.5) },
    attrs: { transposeA: false, transposeB: false },
    expected: [filled([rows, 3], 40).data],
  })),
);
