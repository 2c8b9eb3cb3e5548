import type { Picture } from '@mmllm/core';
import { type Coefficients, precisionBits } from './coefficients';
import type { Size } from './size';

const half = 1 << (precisionBits - 1);

/**
 * The first pass of a resize, from `firstRow` on to before `endRow`.
 * @returns uint8[endRow − firstRow, outputs, 3]
 */
export function acrossRows(
  { data, width }: Picture,
  { start, count, weights, stride }: Coefficients,
  firstRow: number,
  endRow: number,
): Uint8Array {
  const outputs = start.length;
  // Stores into a clamped array saturate, as the last step of the fixed-point sum wants.
  const result = new Uint8ClampedArray((endRow - firstRow) * outputs * 3);
  let at = 0;
  for (let row = firstRow; row < endRow; row++) {
    for (let i = 0; i < outputs; i++) {
      let from = (row * width + start[i]) * 3;
      let r = half;
      let g = half;
      let b = half;
      const end = i * stride + count[i];
      for (let k = i * stride; k < end; k++) {
        const weight = weights[k];
        r = (r + Math.imul(data[from], weight)) | 0;
        g = (g + Math.imul(data[from + 1], weight)) | 0;
        b = (b + Math.imul(data[from + 2], weight)) | 0;
        from += 3;
      }
      result[at] = r >> precisionBits;
      result[at + 1] = g >> precisionBits;
      result[at + 2] = b >> precisionBits;
      at += 3;
    }
  }
  return new Uint8Array(result.buffer);
}

/** The second pass: uint8[height, width, 3] from rows of which the first is `firstRow` of the picture. */
export function downColumns(
  rows: Uint8Array,
  { height, width }: Size,
  { start, count, weights, stride }: Coefficients,
  firstRow: number,
): Uint8Array {
  const length = width * 3;
  const result = new Uint8ClampedArray(height * length);
  const sums = new Int32Array(length);
  for (let i = 0; i < height; i++) {
    sums.fill(half);
    for (let k = 0; k < count[i]; k++) {
      const weight = weights[i * stride + k];
      const from = (start[i] + k - firstRow) * length;
      for (let j = 0; j < length; j++) sums[j] += Math.imul(rows[from + j], weight);
    }
    const at = i * length;
    for (let j = 0; j < length; j++) result[at + j] = sums[j] >> precisionBits;
  }
  return new Uint8Array(result.buffer);
}
