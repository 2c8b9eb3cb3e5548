import type { TensorInfo } from '@tensorflow/tfjs-core';
import { filled, repeated, webgpuKernel } from './kernel';
import { sizeOf } from './program';

interface CacheAppendInputs {
  /** float32[B, C, D], or int32 */
  cache: TensorInfo;
  /** [B, T, D] of the same type */
  next: TensorInfo;
}

/** `mmllm/CacheAppend`: rows from `offset` on get new values. */
export const cacheAppendKernel = webgpuKernel<CacheAppendInputs, { offset: number }>(
  'mmllm/CacheAppend',
  'writes into the cache itself instead of a copy, unless something else holds its buffer',
  ({ gpu, inputs: { cache, next }, attrs: { offset } }) => {
    const [, rows, width] = cache.shape as [number, number, number];
    const size = sizeOf(next.shape);
    const type = cache.dtype === 'int32' ? 'int32' : 'float32';
    const lanes = gpu.lanes(64);
    return gpu.run(
      {
        name: `CacheAppend of ${type}`,
        inputs: { next },
        type,
        shape: cache.shape,
        ints: { size, taken: next.shape[1]! * width, stride: rows * width, first: offset * width },
        lanes,
        groups: Math.ceil(size / lanes),
        code: () => `
          fn main(i : i32) {
            if (i >= uniforms.size) { return; }
            result[i / uniforms.taken * uniforms.stride + uniforms.first + i % uniforms.taken] = next[i];
          }`,
      },
      gpu.overwrite(cache) ?? gpu.copy(cache),
    );
  },
  [
    {
      inputs: { cache: filled([2, 3, 1], 1), next: repeated([2, 1, 1], [2, 3]) },
      attrs: { offset: 1 },
      expected: [[1, 2, 1, 1, 3, 1]],
    },
  ],
  'either',
);
