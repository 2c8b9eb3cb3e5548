import type { Filter } from './filters';

/** Fraction bits of a weight: a sum of bytes keeps two bits to spare, for weights below 0 and above 1. */
export const precisionBits = 32 - 8 - 2;

/** For each output of one axis, the inputs that it sums and their weights in fixed point. */
export interface Coefficients {
  /** First input of each output. */
  readonly start: Int32Array;
  /** Number of inputs of each output. */
  readonly count: Int32Array;
  /** `stride` places for each output, `count` of them filled. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/**
 * Weights of outputs `first` to `first + length` of an axis that goes from `from` pixels to `to`. When it shrinks, the
 * filter is widened by the ratio, so every input counts (antialiasing).
 *
 * Source: `precompute_coeffs` and `normalize_coeffs_8bpc` of Pillow 12, src/libImaging/Resample.c.
 */
export function coefficients(
  from: number,
  to: number,
  filter: Filter,
  first: number,
  length: number,
): Coefficients {
  const scale = from / to;
  const filterScale = Math.max(scale, 1);
  // Pillow multiplies by the inverse; a division would round differently.
  const inverse = 1 / filterScale;
  const support = filter.support * filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const start = new Int32Array(length);
  const count = new Int32Array(length);
  const weights = new Int32Array(length * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < length; i++) {
    const centre = (first + i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const high = Math.min(from, Math.trunc(centre + support + 0.5));
    let sum = 0;
    for (let j = low; j < high; j++) {
      const weight = filter.weight((j - centre + 0.5) * inverse);
      exact[j - low] = weight;
      sum += weight;
    }
    start[i] = low;
    let used = 0;
    for (let j = 0; j < high - low; j++) {
      const weight = toFixed(sum === 0 ? exact[j] : exact[j] / sum);
      // Zeros in front and at the end are left out; they are what an axis of unchanged size mostly has.
      if (weight === 0 && used === 0) continue;
      if (used === 0) start[i] = low + j;
      weights[i * stride + used++] = weight;
    }
    while (used > 0 && weights[i * stride + used - 1] === 0) used--;
    count[i] = used;
  }
  return { start, count, weights, stride };
}

/** Fixed point, halves away from zero. */
function toFixed(weight: number): number {
  return Math.trunc(weight * 2 ** precisionBits + (weight < 0 ? -0.5 : 0.5));
}
