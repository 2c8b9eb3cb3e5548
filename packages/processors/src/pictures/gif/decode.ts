import type { Picture } from '@mmllm/core';
import { type Alpha, overWhite } from '../alpha';
import { maxPixels } from '../limits';
import { type GifFrame, readFrame } from './frame';
import { decompress } from './lzw';

/**
 * Decodes the first frame of a GIF the same way everywhere, to the bytes that Pillow gives: around a smaller frame there
 * is what is transparent or, where nothing is, the first colour.
 *
 * @throws Error for a file that is broken or cut short.
 */
export function decodeGif(bytes: Uint8Array, alpha: Alpha): Picture {
  const frame = readFrame(bytes);
  const { width, height, left, top, columns, rows, clear = 0 } = frame;
  if (width * height > maxPixels) throw new Error(`a frame that makes it ${width}×${height}`);
  const indices = decompress(frame.compressed, frame.bits, columns * rows);
  const colours = coloursOf(frame, alpha);
  const data = new Uint8Array(width * height * 3);
  const write = (at: number, index: number) => {
    data[at] = colours[3 * index];
    data[at + 1] = colours[3 * index + 1];
    data[at + 2] = colours[3 * index + 2];
  };
  for (let at = 0; at < data.length; at += 3) write(at, clear);
  rowOrder(rows, frame.interlaced).forEach((row, line) => {
    const at = ((top + row) * width + left) * 3;
    for (let i = 0; i < columns; i++) write(at + 3 * i, indices[line * columns + i]);
  });
  return { data, width, height };
}

/** uint8[256, 3]; colours that the file does not have are black. */
function coloursOf({ palette, clear }: GifFrame, alpha: Alpha): Uint8Array {
  const colours = Uint8Array.from({ length: 3 * 256 }, (_, i) =>
    palette ? (palette[i] ?? 0) : Math.floor(i / 3),
  );
  if (alpha === 'white' && clear !== undefined) {
    for (let i = 3 * clear; i < 3 * clear + 3; i++) colours[i] = overWhite(colours[i], 0);
  }
  return colours;
}

/** The rows of the picture in the order of the file. */
function rowOrder(rows: number, interlaced: boolean): number[] {
  const every = (first: number, step: number) =>
    Array.from({ length: Math.max(0, Math.ceil((rows - first) / step)) }, (_, i) => first + i * step);
  if (!interlaced) return every(0, 1);
  return [...every(0, 8), ...every(4, 8), ...every(2, 4), ...every(1, 2)];
}
