import type { Normalisation, Picture } from '@mmllm/core';
import type { Size, Window } from '../resize/size';

/** Writes normalised pixels into the floats of a batch. */
export interface PixelWriter {
  /**
   * Writes a part of a picture as float32[height, width, 3], from `offset` on. Where the part leaves the picture, on
   * any side, it gets the fill.
   */
  write(target: Float32Array, offset: number, picture: Picture, part: Window): void;
}

/**
 * Normalises through a table of all 256 byte values, so that a pixel costs one look-up. The table is made in single
 * precision step by step as transformers' processors do, which gives the same floats to the last bit.
 *
 * @param fill colour outside of the picture before rescaling, 0 … 255.
 */
export function pixelWriter(
  normalisation: Normalisation,
  fill: readonly [number, number, number] = [0, 0, 0],
): PixelWriter {
  const table = new Float32Array(3 * 256);
  for (let channel = 0; channel < 3; channel++) {
    for (let value = 0; value < 256; value++) {
      table[channel * 256 + value] = normalise(rescale(value, normalisation), channel, normalisation);
    }
  }
  const outside = fill.map((value, channel) =>
    normalise(rescale(value, normalisation), channel, normalisation),
  );
  return {
    write(target, offset, picture, part) {
      const { data } = picture;
      writePart(target, offset, picture, part, outside, (at, from, end) => {
        for (let i = at; i < end; i += 3, from += 3) {
          target[i] = table[data[from]];
          target[i + 1] = table[256 + data[from + 1]];
          target[i + 2] = table[512 + data[from + 2]];
        }
      });
    },
  };
}

/**
 * Walks over the rows of a part and fills what lies outside of the picture.
 *
 * @param copy writes the pixels of one row, from the place `from` in the picture to `at` … `end` in the target.
 */
export function writePart(
  target: Float32Array,
  offset: number,
  picture: Size,
  part: Window,
  outside: readonly number[],
  copy: (at: number, from: number, end: number) => void,
): void {
  const within = (column: number) => Math.min(part.width, Math.max(0, column - part.left));
  const fill = (from: number, end: number) => {
    for (let i = from; i < end; i += 3) for (let c = 0; c < 3; c++) target[i + c] = outside[c];
  };
  let at = offset;
  for (let row = part.top; row < part.top + part.height; row++) {
    const inside = row >= 0 && row < picture.height;
    const start = at + 3 * (inside ? within(0) : part.width);
    const end = inside ? at + 3 * within(picture.width) : start;
    fill(at, start);
    if (end > start) copy(start, (row * picture.width + part.left + (start - at) / 3) * 3, end);
    at += 3 * part.width;
    fill(Math.max(start, end), at);
  }
}

/** In single precision, like the next. */
export const rescale = (value: number, { rescale: factor }: Normalisation): number =>
  Math.fround(value * factor);

export function normalise(value: number, channel: number, { mean, std }: Normalisation): number {
  const { fround } = Math;
  return fround(fround(value - fround(mean[channel])) / fround(std[channel]));
}
