/** The picture whose preparation is measured. */
import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import type { Work } from './engine.ts';

type Size = Pick<Extract<Work, { kind: 'preprocess' }>, 'width' | 'height'>;

export const pathOfJpeg = ({ width, height }: Size): string =>
  fileURLToPath(new URL(`../.cache/pictures/${width}x${height}.jpg`, import.meta.url));

/** Writes the file, unless it is there: soft shapes with the noise of a camera, quality 90. */
export async function makeJpeg(size: Size): Promise<void> {
  const path = pathOfJpeg(size);
  if (existsSync(path)) return;
  console.error(`making ${path} …`);
  await mkdir(dirname(path), { recursive: true });
  const raw = { ...size, channels: 3 } as const;
  await sharp(pixels(size), { raw }).jpeg({ quality: 90 }).toFile(`${path}.part`);
  await rename(`${path}.part`, path);
}

/** uint8[height, width, 3] */
function pixels({ width, height }: Size): Uint8Array {
  const data = new Uint8Array(width * height * 3);
  let state = 1;
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // Numerical Recipes' constants.
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const noise = (state >>> 27) - 16;
      data[at++] = 127 + 100 * Math.sin(x / 90 + y / 170) + noise;
      data[at++] = 127 + 100 * Math.cos(x / 230 - y / 70) + noise;
      data[at++] = 20 + (100 * x) / width + (100 * y) / height + noise;
    }
  }
  return data;
}
