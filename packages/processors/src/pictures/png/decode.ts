import type { Picture } from '@mmllm/core';
import type { Alpha } from '../alpha';
import { oriented } from '../orient';
import { type PngFile, readChunks } from './chunks';
import { channelsOf, pixelReader } from './pixels';
import { RowReader } from './rows';

/** Where the pixels of a pass lie: the first, and how far the next is. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly across: number;
  readonly down: number;
}

const whole: Pass = { x: 0, y: 0, across: 1, down: 1 };
/** https://www.w3.org/TR/png-3/#8InterlaceMethods */
const interlaced: readonly Pass[] = [
  { x: 0, y: 0, across: 8, down: 8 },
  { x: 4, y: 0, across: 8, down: 8 },
  { x: 0, y: 4, across: 4, down: 8 },
  { x: 2, y: 0, across: 4, down: 4 },
  { x: 0, y: 2, across: 2, down: 4 },
  { x: 1, y: 0, across: 2, down: 2 },
  { x: 0, y: 1, across: 1, down: 2 },
];

/**
 * Decodes a PNG the same way everywhere, to the bytes that Pillow gives. Gamma and profiles are not applied. Besides the
 * result there are two rows in memory.
 *
 * @throws Error for a file that is broken or cut short.
 */
export async function decodePng(bytes: Uint8Array, alpha: Alpha): Promise<Picture> {
  const file = readChunks(bytes);
  const { width, height, depth } = file;
  const bits = channelsOf(file.colourType) * depth;
  checkLength(file, (width * height * bits) / 8);
  const data = new Uint8Array(width * height * 3);
  const write = pixelReader(file, alpha);
  const rows = new RowReader(file.compressed);
  try {
    for (const { x, y, across, down } of file.interlaced ? interlaced : [whole]) {
      const columns = Math.max(0, Math.ceil((width - x) / across));
      const lines = columns === 0 ? 0 : Math.max(0, Math.ceil((height - y) / down));
      await rows.read(lines, Math.ceil((columns * bits) / 8), Math.max(1, bits >> 3), (row, line) => {
        let at = ((y + line * down) * width + x) * 3;
        for (let i = 0; i < columns; i++, at += 3 * across) write(row, i, data, at);
      });
    }
  } finally {
    await rows.close();
  }
  return oriented({ data, width, height }, file.orientation);
}

/** So that nothing is allocated for a few bytes that claim to be much: deflate makes no byte more than 1032. */
function checkLength({ compressed }: PngFile, least: number): void {
  const bytes = compressed.reduce((sum, { length }) => sum + length, 0);
  if (least > 1032 * bytes) throw new Error(`its ${bytes} bytes cannot be ${least} of pixels`);
}
