import type * as tf from '@tensorflow/tfjs-core';
import { wasmKernel } from './call';

interface CacheAppendInputs {
  /** float32[B, C, D], or int32 */
  cache: tf.TensorInfo;
  /** [B, T, D] of the same type */
  next: tf.TensorInfo;
}

/** `mmllm/CacheAppend`: rows from `offset` on get new values. */
export const cacheAppendKernel = wasmKernel<CacheAppendInputs, { offset: number }>(
  'mmllm/CacheAppend',
  'writes into the cache itself instead of a copy, unless something else holds its memory',
  ({ inputs: { cache, next }, attrs: { offset }, values, overwrite }) => {
    const out = overwrite(cache);
    const [to, from] = [values(out), values(next)];
    if (out.dataId !== cache.dataId) to.set(values(cache));
    const [batch, rows, width] = cache.shape as [number, number, number];
    const size = next.shape[1]! * width;
    for (let b = 0; b < batch; b++) {
      to.set(from.subarray(b * size, (b + 1) * size), (b * rows + offset) * width);
    }
    return out;
  },
  'either',
);
