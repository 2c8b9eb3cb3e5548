import { type Picture, type Resample, ShapeError } from '@mmllm/core';
import { type Coefficients, coefficients, precisionBits } from './coefficients';
import { filters } from './filters';
import { resizeNearest } from './nearest';
import type { Size, Window } from './size';

const half = 1 << (precisionBits - 1);

/**
 * Resizes a picture with antialiasing: the same bytes as `Image.resize` of Pillow 12 on an RGB picture. Two passes,
 * rows first, each rounded to bytes.
 *
 * @param size of the whole result, each side at least 1.
 * @param window the part of the result that is wanted; only that is computed. Default: all.
 * @returns the picture itself where nothing changes.
 * @throws ShapeError for a size below 1, or a window that leaves the result.
 */
export function resize(picture: Picture, size: Size, resample: Resample, window?: Window): Picture {
  const part = window ?? { top: 0, left: 0, ...size };
  check(size, part);
  const whole = part.height === size.height && part.width === size.width;
  if (whole && size.height === picture.height && size.width === picture.width) return picture;
  if (resample === 'nearest') return resizeNearest(picture, size, part);
  const filter = filters[resample];
  const horizontal = coefficients(picture.width, size.width, filter, part.left, part.width);
  const vertical = coefficients(picture.height, size.height, filter, part.top, part.height);
  const last = part.height - 1;
  const firstRow = vertical.start[0];
  const endRow = vertical.start[last] + vertical.count[last];
  const rows = acrossRows(picture, horizontal, firstRow, endRow);
  return { data: downColumns(rows, part, vertical, firstRow), width: part.width, height: part.height };
}

/** uint8[endRow − firstRow, outputs, 3] */
function acrossRows(
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

/** uint8[height, width, 3] from rows of which the first is `firstRow` of the picture. */
function downColumns(
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

function check(size: Size, { top, left, height, width }: Window): void {
  const whole = [size.height, size.width, height, width].every((n) => Number.isSafeInteger(n) && n >= 1);
  const inside = top >= 0 && left >= 0 && top + height <= size.height && left + width <= size.width;
  if (whole && inside && Number.isInteger(top) && Number.isInteger(left)) return;
  throw new ShapeError({
    component: 'resize',
    expected: 'a size of at least 1×1 and a window inside of it',
    actual: `${size.width}×${size.height}, window ${width}×${height} at (${left}, ${top})`,
  });
}
