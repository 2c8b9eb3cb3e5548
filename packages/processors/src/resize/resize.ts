import { type Picture, type Resample, ShapeError } from '@mmllm/core';
import { coefficients } from './coefficients';
import { filters } from './filters';
import { resizeNearest } from './nearest';
import { acrossRows, downColumns } from './passes';
import { acrossRowsInWasm } from './passes-wasm';
import type { Size, Window } from './size';

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
  const rows =
    acrossRowsInWasm(picture, horizontal, firstRow, endRow) ??
    acrossRows(picture, horizontal, firstRow, endRow);
  return { data: downColumns(rows, part, vertical, firstRow), width: part.width, height: part.height };
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
