import type * as tf from '@tensorflow/tfjs-core';
import { rowsOf, wasmKernel } from './call';

/** Of one group that is not whole. */
const SCRATCH_BYTES = 128;

/** `mmllm/QuantizeRows`: float32[B, T, D] to int32[B, T, ⌈D / 4⌉ + ⌈D / 32⌉]: four codes a word, then the scales. */
export const quantizeRowsKernel = wasmKernel<{ x: tf.TensorInfo }, object>(
  'mmllm/QuantizeRows',
  'packs keys and values into 8 bits',
  ({ inputs: { x }, kernels, address, output, withScratch }) => {
    const { rows, width } = rowsOf(x);
    const packed = output([...x.shape.slice(0, -1), Math.ceil(width / 4) + Math.ceil(width / 32)], 'int32');
    withScratch(SCRATCH_BYTES, (scratch) => {
      kernels.quantizeRows(address(x), rows, width, address(packed), scratch);
    });
    return packed;
  },
);
