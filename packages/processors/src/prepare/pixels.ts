import type { Normalisation, Picture } from '@mmllm/core';
import type { Window } from '../resize/size';

/** Writes normalised pixels into the floats of a batch. */
export interface PixelWriter {
  /**
   * Writes a part of a picture as float32[height, width, 3], from `offset` on. Where the part leaves the picture it
   * gets the fill.
   */
  write(target: Float32Array, offset: number, picture: Picture, part: Window): void;
}

/**
 * Normalises through a table of all 256 byte values, so that a pixel costs one look-up. The table is made in single
 * precision step by step as transformers' processors do, which gives the same floats to the last bit.
 *
 * @param fill value outside of the picture before rescaling, 0 … 255.
 */
export function pixelWriter(normalisation: Normalisation, fill = 0): PixelWriter {
  const table = new Float32Array(3 * 256);
  const outside = new Float32Array(3);
  for (let channel = 0; channel < 3; channel++) {
    for (let value = 0; value < 256; value++) {
      table[channel * 256 + value] = normalise(value, channel, normalisation);
    }
    outside[channel] = normalise(fill, channel, normalisation);
  }

  const write: PixelWriter['write'] = (target, offset, { data, width, height }, part) => {
    const columns = Math.max(0, Math.min(part.width, width - part.left));
    let at = offset;
    for (let row = part.top; row < part.top + part.height; row++) {
      const inside = row < height ? columns : 0;
      let from = (row * width + part.left) * 3;
      const end = at + inside * 3;
      const endOfRow = at + part.width * 3;
      for (; at < end; at += 3, from += 3) {
        target[at] = table[data[from]];
        target[at + 1] = table[256 + data[from + 1]];
        target[at + 2] = table[512 + data[from + 2]];
      }
      for (; at < endOfRow; at += 3) target.set(outside, at);
    }
  };
  return { write };
}

function normalise(value: number, channel: number, { rescale, mean, std }: Normalisation): number {
  const { fround } = Math;
  return fround(fround(fround(value * rescale) - fround(mean[channel])) / fround(std[channel]));
}
