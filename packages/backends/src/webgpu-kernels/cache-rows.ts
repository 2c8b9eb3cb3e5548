import type { TensorInfo } from '@tensorflow/tfjs-core';
import { repeated, webgpuKernel } from './kernel';

interface CacheRowsAttrs {
  samples: readonly number[];
  from: number;
  count: number;
  rows: number;
}

/** `mmllm/CacheRows`: [B, C, D] to [samples, rows, D] of the same type, with room of any content behind `count` rows. */
export const cacheRowsKernel = webgpuKernel<{ cache: TensorInfo }, CacheRowsAttrs>(
  'mmllm/CacheRows',
  'one copy instead of three, and exact for packed rows',
  ({ gpu, inputs: { cache }, attrs: { samples, from, count, rows } }) => {
    const [, length, width] = cache.shape as [number, number, number];
    const type = cache.dtype === 'int32' ? 'int32' : 'float32';
    const shape = [samples.length, rows, width];
    return gpu.elements({
      name: `CacheRows of ${type}`,
      inputs: { cache, samples: gpu.upload(Int32Array.from(samples)) },
      type,
      shape,
      ints: { rows, width, stride: length * width, first: from * width, taken: count * width },
      prelude: () => `
        fn placeOf(i : i32) -> i32 {
          let sample = i / (uniforms.rows * uniforms.width);
          let place = min(i % (uniforms.rows * uniforms.width), max(uniforms.taken - 1, 0));
          return samples[sample] * uniforms.stride + uniforms.first + place;
        }`,
      value: () => 'cache[placeOf(i)]',
    });
  },
  [
    {
      inputs: { cache: repeated([2, 3, 1], [1, 2, 3, 4, 5, 6]) },
      attrs: { samples: [1, 0], from: 1, count: 2, rows: 2 },
      expected: [[5, 6, 2, 3]],
    },
  ],
  'either',
);
