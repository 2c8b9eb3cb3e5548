import type { Picture } from '@mmllm/core';

const orientationTag = 0x0112;

/** The orientation that a block of EXIF (a TIFF) says, 1 … 8; 1 where it says none. */
export function orientationOf(exif: Uint8Array): number {
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  try {
    const little = view.getUint16(0) === 0x4949;
    const directory = view.getUint32(4, little);
    const count = view.getUint16(directory, little);
    for (let at = directory + 2; at < directory + 2 + 12 * count; at += 12) {
      if (view.getUint16(at, little) !== orientationTag) continue;
      const value = view.getUint16(at + 8, little);
      return value >= 1 && value <= 8 ? value : 1;
    }
  } catch (error) {
    // A read past the end.
    if (!(error instanceof RangeError)) throw error;
  }
  return 1;
}

/** The picture as it is to be seen: 2 … 4 mirror and turn, and 5 … 8 swap rows and columns before that. */
export function oriented(picture: Picture, orientation: number): Picture {
  if (orientation === 1) return picture;
  const swapped = orientation >= 5;
  const [width, height] = swapped ? [picture.height, picture.width] : [picture.width, picture.height];
  const mirrored = [2, 3, 7, 8].includes(orientation);
  const upsideDown = [3, 4, 6, 7].includes(orientation);
  const data = new Uint8Array(picture.data.length);
  let at = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at += 3) {
      // Where the pixel was, in rows and columns of the file.
      const [y, x] = swapped ? [column, row] : [row, column];
      const fileRow = upsideDown ? picture.height - 1 - y : y;
      const fileColumn = mirrored ? picture.width - 1 - x : x;
      const from = (fileRow * picture.width + fileColumn) * 3;
      data[at] = picture.data[from];
      data[at + 1] = picture.data[from + 1];
      data[at + 2] = picture.data[from + 2];
    }
  }
  return { data, width, height };
}
