import type { Resample } from '@mmllm/core';

/** A resampling kernel: its weight at a distance in pixels, zero from `support` on. */
export interface Filter {
  readonly support: number;
  weight(x: number): number;
}

/** Keys' cubic convolution with a = −1/2 (Keys, 1981, "Cubic convolution interpolation"). */
function cubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return (((t - 5) * t + 8) * t - 4) * a;
  return 0;
}

function sinc(x: number): number {
  if (x === 0) return 1;
  const t = x * Math.PI;
  return Math.sin(t) / t;
}

/** The kernels of Pillow 12; the order of operations is its own too, since the last bit counts. */
export const filters: Record<Exclude<Resample, 'nearest'>, Filter> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: cubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};
