import type { Picture } from '@mmllm/core';
import type { Size } from './size';

const { fround } = Math;

/** A picture in single precision: float32[height, width, 3]. */
export interface FloatPicture extends Size {
  readonly data: Float32Array;
}

/**
 * Resizes a picture in single precision, bilinear with antialiasing: what PyTorch's `interpolate(mode='bilinear',
 * antialias=True)` makes of a float32 tensor, up to the rounding of its sums. Two passes, rows first, not rounded to
 * bytes.
 *
 * @param values float32[256], what a byte stands for.
 */
export function resizeFloat(picture: Picture, size: Size, values: Float32Array): FloatPicture {
  const { height, width } = size;
  const across = floatWeights(picture.width, width);
  const down = floatWeights(picture.height, height);
  const rows = new Float32Array(picture.height * width * 3);
  for (let row = 0; row < picture.height; row++) {
    for (let i = 0; i < width * 3; i++) {
      const { start, weights } = across[(i - (i % 3)) / 3];
      const first = (row * picture.width + start) * 3 + (i % 3);
      let sum = 0;
      for (let k = 0; k < weights.length; k++) {
        sum = fround(sum + fround(values[picture.data[first + k * 3]] * weights[k]));
      }
      rows[row * width * 3 + i] = sum;
    }
  }
  const data = new Float32Array(height * width * 3);
  down.forEach(({ start, weights }, row) => {
    const target = data.subarray(row * width * 3, (row + 1) * width * 3);
    weights.forEach((weight, k) => {
      const from = (start + k) * width * 3;
      for (let i = 0; i < target.length; i++) target[i] = fround(target[i] + fround(rows[from + i] * weight));
    });
  });
  return { data, height, width };
}

interface Weights {
  /** First input. */
  readonly start: number;
  readonly weights: Float32Array;
}

/**
 * For each output of an axis its inputs and their weights. Every step is in single precision: a filter placed in
 * double precision differs by 1e-4 after normalising.
 *
 * Source: `_compute_indices_min_size_weights_aa` of PyTorch, aten/src/ATen/native/cpu/UpSampleKernel.cpp.
 */
function floatWeights(from: number, to: number): Weights[] {
  const scale = fround(from / to);
  const support = Math.max(1, scale);
  const inverse = fround(1 / support);
  return Array.from({ length: to }, (_, i) => {
    const centre = fround(scale * fround(i + 0.5));
    const start = Math.max(0, Math.trunc(fround(fround(centre - support) + 0.5)));
    const end = Math.min(from, Math.trunc(fround(fround(centre + support) + 0.5)));
    const weights = new Float32Array(end - start);
    let sum = 0;
    for (let k = 0; k < weights.length; k++) {
      const distance = fround(fround(fround(fround(k + start) - centre) + 0.5) * inverse);
      weights[k] = Math.max(0, fround(1 - Math.abs(distance)));
      sum = fround(sum + weights[k]);
    }
    return { start, weights: weights.map((weight) => weight / sum) };
  });
}
