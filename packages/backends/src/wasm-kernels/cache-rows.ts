import type * as tf from '@tensorflow/tfjs-core';
import { wasmKernel } from './call';

interface CacheRowsAttrs {
  samples: readonly number[];
  from: number;
  count: number;
  rows: number;
}

/** `mmllm/CacheRows`: [B, C, D] to [samples, rows, D] of the same type, with room of any content behind `count` rows. */
export const cacheRowsKernel = wasmKernel<{ cache: tf.TensorInfo }, CacheRowsAttrs>(
  'mmllm/CacheRows',
  'one copy instead of three',
  ({ inputs: { cache }, attrs: { samples, from, count, rows }, values, output }) => {
    const [, length, width] = cache.shape as [number, number, number];
    const out = output([samples.length, rows, width], cache.dtype === 'int32' ? 'int32' : 'float32');
    const [source, target] = [values(cache), values(out)];
    for (const [place, sample] of samples.entries()) {
      const first = (sample * length + from) * width;
      target.set(source.subarray(first, first + count * width), place * rows * width);
    }
    return out;
  },
  'either',
);
