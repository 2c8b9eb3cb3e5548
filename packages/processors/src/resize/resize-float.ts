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
export function resizeFloat(picture: Picture, { height, width }: Size, values: Float32Array): FloatPicture {
  const rows = acrossRows(picture, floatWeights(picture.width, width), values);
  const length = width * 3;
  const data = new Float32Array(height * length);
  floatWeights(picture.height, height).forEach(({ start, weights }, row) => {
    const target = data.subarray(row * length, (row + 1) * length);
    for (let k = 0; k < weights.length; k++) {
      const from = (start + k) * length;
      for (let i = 0; i < length; i++) target[i] += fround(rows[from + i] * weights[k]);
    }
  });
  return { data, height, width };
}

/** float32[height of the picture, outputs, 3] */
function acrossRows(
  { data, height, width }: Picture,
  outputs: Weights[],
  values: Float32Array,
): Float32Array {
  const result = new Float32Array(height * outputs.length * 3);
  let at = 0;
  for (let row = 0; row < height; row++) {
    for (const { start, weights } of outputs) {
      let from = (row * width + start) * 3;
      for (let k = 0; k < weights.length; k++, from += 3) {
        const weight = weights[k];
        // Each store rounds to single precision.
        result[at] += fround(values[data[from]] * weight);
        result[at + 1] += fround(values[data[from + 1]] * weight);
        result[at + 2] += fround(values[data[from + 2]] * weight);
      }
      at += 3;
    }
  }
  return result;
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
