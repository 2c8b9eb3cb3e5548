import type { Picture } from '@mmllm/core';
import type { Size, Window } from './size';

/**
 * Each output takes the input under its centre. Positions are added up, not multiplied out, because Pillow's
 * (`ImagingScaleAffine`, src/libImaging/Geometry.c) carry the rounding of that sum.
 */
export function resizeNearest(picture: Picture, size: Size, window: Window): Picture {
  const columns = positions(picture.width, size.width).subarray(window.left, window.left + window.width);
  const rows = positions(picture.height, size.height).subarray(window.top, window.top + window.height);
  const data = new Uint8Array(window.height * window.width * 3);
  let at = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * picture.width + column) * 3;
      // A position that the sum carried past the end stays black, as in Pillow.
      if (row < picture.height && column < picture.width) {
        data[at] = picture.data[from];
        data[at + 1] = picture.data[from + 1];
        data[at + 2] = picture.data[from + 2];
      }
      at += 3;
    }
  }
  return { data, width: window.width, height: window.height };
}

function positions(from: number, to: number): Int32Array {
  const scale = from / to;
  const result = new Int32Array(to);
  let position = scale * 0.5;
  for (let i = 0; i < to; i++) {
    result[i] = Math.trunc(position);
    position += scale;
  }
  return result;
}
