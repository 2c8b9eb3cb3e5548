import type * as tf from '@tensorflow/tfjs-core';
import { NO_ACTIVATION } from './activation-names';
import { type Call, wasmKernel } from './call';

interface GroupedAttrs {
  /** Rows of each group. */
  groupSizes: Int32Array;
}

interface GroupedInputs {
  /** float32[N, K], rows sorted by group */
  x: tf.TensorInfo;
  /** float32[E, K, M]; transposed [E, M, K] */
  weights: tf.TensorInfo;
}

interface Product {
  readonly a: number;
  readonly transposeA: boolean;
  readonly b: number;
  readonly transposeB: boolean;
  readonly c: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

const REASON = 'each group in place, without slices';

/** `c = a · b` for each of the products, one after the other on all threads. */
function multiplyAll(
  { kernels, withScratch }: Pick<Call<object, object>, 'kernels' | 'withScratch'>,
  products: readonly Product[],
): void {
  const filled = products.filter(({ m, n }) => m * n > 0);
  const bytes = filled.map(({ m, n, k }) => kernels.matmulScratch(m, n, k));
  withScratch(Math.max(0, ...bytes), (scratch) => {
    for (const { a, transposeA, b, transposeB, c, m, n, k } of filled) {
      const [left, right] = [Number(transposeA), Number(transposeB)];
      kernels.matmul(a, 0, left, b, 0, right, 0, c, 1, m, n, k, NO_ACTIVATION, 0, 0, scratch);
    }
  });
}

/** Each group's first row and number of rows. */
function groups(sizes: Int32Array): { start: number; rows: number }[] {
  let start = 0;
  return Array.from(sizes, (rows) => {
    start += rows;
    return { start: start - rows, rows };
  });
}

/** `mmllm/GroupedMatMul`: the rows of each group times its matrix, float32[N, M]. */
export const groupedMatmulKernel = wasmKernel<GroupedInputs, GroupedAttrs & { transpose: boolean }>(
  'mmllm/GroupedMatMul',
  REASON,
  ({ inputs: { x, weights }, attrs: { groupSizes, transpose }, address, output, ...rest }) => {
    const [count, k] = x.shape as [number, number];
    const n = weights.shape[transpose ? 1 : 2]!;
    const out = output([count, n]);
    const [from, matrices, to] = [address(x), address(weights), address(out)];
    const products = groups(groupSizes).map(({ start, rows }, e) => ({
      a: from + 4 * start * k,
      transposeA: false,
      b: matrices + 4 * e * k * n,
      transposeB: transpose,
      c: to + 4 * start * n,
      m: rows,
      n,
      k,
    }));
    multiplyAll(rest, products);
    return out;
  },
);

/** `mmllm/GroupedMatMulGrad`: `xᵀ · dy` over the rows of each group, float32[E, K, M]. */
export const groupedMatmulGradKernel = wasmKernel<{ x: tf.TensorInfo; dy: tf.TensorInfo }, GroupedAttrs>(
  'mmllm/GroupedMatMulGrad',
  REASON,
  ({ inputs: { x, dy }, attrs: { groupSizes }, address, output, ...rest }) => {
    const [m, n] = [x.shape[1]!, dy.shape[1]!];
    const out = output([groupSizes.length, m, n]);
    const [left, right, to] = [address(x), address(dy), address(out)];
    // An empty group is a product over an empty inner size: zeros.
    const products = groups(groupSizes).map(({ start, rows }, e) => ({
      a: left + 4 * start * m,
      transposeA: true,
      b: right + 4 * start * n,
      transposeB: false,
      c: to + 4 * e * m * n,
      m,
      n,
      k: rows,
    }));
    multiplyAll(rest, products);
    return out;
  },
);
