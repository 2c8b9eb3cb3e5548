import type { HeldType } from '@mmllm/core';
import { decode, encode, type Matrix } from '../held/codes';

export const HELD_TYPES = ['bfloat16', 'float16', 'q8', 'q4', 'q4_1'] as const satisfies readonly HeldType[];

/** What a matrix counts as once it is held: float32[outputs, inputs]. */
export const heldValues = (matrix: Matrix, type: HeldType): Float32Array =>
  decode(encode(matrix, type, 'weight'));

/** Sizes of a product `y[rows, outputs] = x[rows, inputs] · H[outputs, inputs]ᵀ`. */
export interface HeldSizes {
  readonly rows: number;
  readonly outputs: number;
  readonly inputs: number;
}

/**
 * The product in double precision, and how far a kernel may be from it: by the rounding of float32 sums, and with
 * `coded` also by the rounding of x to 8 bits in groups of 32, half a step of 1/127 of the group's largest value.
 */
export function heldProduct(
  x: Float32Array,
  h: Float32Array,
  { rows, outputs, inputs }: HeldSizes,
  coded: boolean,
): { values: Float64Array; bounds: Float64Array } {
  const values = new Float64Array(rows * outputs);
  const bounds = new Float64Array(rows * outputs);
  for (let r = 0; r < rows; r++) {
    const row = x.subarray(r * inputs, (r + 1) * inputs);
    const steps = row.map((_, i) => {
      const first = i - (i % 32);
      return coded
        ? row.subarray(first, first + 32).reduce((most, v) => Math.max(most, Math.abs(v)), 0) / 253.9
        : 0;
    });
    for (let o = 0; o < outputs; o++) {
      let [sum, bound] = [0, 1e-30];
      for (let i = 0; i < inputs; i++) {
        const weight = h[o * inputs + i]!;
        sum += row[i]! * weight;
        bound += (1e-6 * Math.abs(row[i]!) + steps[i]!) * Math.abs(weight);
      }
      values[r * outputs + o] = sum;
      bounds[r * outputs + o] = bound;
    }
  }
  return { values, bounds };
}

/** @throws Error naming the worst value that is farther from the expected one than its bound. */
export function assertWithin(
  actual: Float32Array,
  { values, bounds }: { values: Float64Array; bounds: Float64Array },
): void {
  if (actual.length !== values.length)
    throw new Error(`expected ${values.length} values, got ${actual.length}`);
  for (const [i, value] of values.entries()) {
    // Written so that NaN fails.
    if (!(Math.abs(actual[i]! - value) <= bounds[i]!)) {
      throw new Error(`expected ${value} ± ${bounds[i]} at ${i}, got ${actual[i]}`);
    }
  }
}
