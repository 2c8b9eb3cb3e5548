import type * as tf from '@tensorflow/tfjs-core';
import { type Call, rowsOf, wasmKernel } from './call';

/** Lends an index to a kernel in the memory of the backend. */
function withIndex(
  withScratch: Call<object, object>['withScratch'],
  index: Int32Array,
  use: (address: number) => void,
): void {
  withScratch(index.byteLength, (address, { buffer }) => {
    new Int32Array(buffer, address, index.length).set(index);
    use(address);
  });
}

/** `mmllm/Embedding`: rows of a table, float32[ids.length, D]. */
export const embeddingKernel = wasmKernel<{ table: tf.TensorInfo }, { ids: Int32Array }>(
  'mmllm/Embedding',
  'copies rows without a tensor of ids',
  ({ inputs: { table }, attrs: { ids }, kernels, address, output, withScratch }) => {
    const width = table.shape[1]!;
    const out = output([ids.length, width]);
    withIndex(withScratch, ids, (index) => {
      kernels.gatherRows(address(table), index, ids.length, width, address(out));
    });
    return out;
  },
);

/** `mmllm/EmbeddingGrad`: the sums of the rows of equal ids, float32[vocabSize, D]. */
export const embeddingGradKernel = wasmKernel<{ dy: tf.TensorInfo }, { ids: Int32Array; vocabSize: number }>(
  'mmllm/EmbeddingGrad',
  'adds rows in place, in their order',
  ({ inputs: { dy }, attrs: { ids, vocabSize }, kernels, address, output, withScratch }) => {
    const width = dy.shape[1]!;
    const out = output([vocabSize, width]);
    withIndex(withScratch, ids, (index) => {
      kernels.scatterRows(address(dy), index, ids.length, width, vocabSize, address(out));
    });
    return out;
  },
);

/** `mmllm/SelectRows`: rows of a matrix, zeros for −1, float32[index.length, D]. */
export const selectRowsKernel = wasmKernel<{ x: tf.TensorInfo }, { index: Int32Array }>(
  'mmllm/SelectRows',
  'copies rows without a tensor of places, nor a row of zeros joined to them',
  ({ inputs: { x }, attrs: { index }, kernels, address, output, withScratch }) => {
    const width = x.shape[1]!;
    const out = output([index.length, width]);
    withIndex(withScratch, index, (places) => {
      kernels.gatherRows(address(x), places, index.length, width, address(out));
    });
    return out;
  },
);

/** `mmllm/ColumnSums`: Σ over rows, float32[D]. */
export const columnSumsKernel = wasmKernel<{ x: tf.TensorInfo }, object>(
  'mmllm/ColumnSums',
  'reads the rows as they lie, where a product would pack them first',
  ({ inputs: { x }, kernels, address, output }) => {
    const { rows, width } = rowsOf(x);
    const out = output([width]);
    kernels.columnSums(address(x), rows, width, address(out));
    return out;
  },
);
