import type { Picture, PreparedImage } from '@mmllm/core';
import type { Size } from '../resize/size';
import type { HostPacked } from './host';
import type { PixelWriter } from './pixels';

/** A picture as its size will be, and how it gets there. */
export interface Fitted {
  readonly size: Size;
  picture(): Picture;
}

/**
 * Patches of all pictures, one picture after the other, row by row: float32[patches, frames · side · side · 3]. The
 * last row and column are filled to whole patches.
 *
 * @param frames how often each patch is repeated, for encoders whose patches span several frames.
 */
export function packPatches(
  pictures: readonly Picture[],
  fit: (picture: Picture) => Fitted,
  side: number,
  frames: number,
  { write }: PixelWriter,
): HostPacked {
  const fitted = pictures.map(fit);
  const grids = fitted.map(({ size }) => [Math.ceil(size.height / side), Math.ceil(size.width / side)]);
  const numPatches = grids.reduce((sum, [rows, columns]) => sum + rows * columns, 0);
  const length = side * side * 3;
  const patches = new Float32Array(numPatches * frames * length);
  let at = 0;
  const images = fitted.map((each, index): PreparedImage => {
    const [rows, columns] = grids[index];
    const picture = each.picture();
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        write(patches, at, picture, { top: row * side, left: column * side, height: side, width: side });
        for (let frame = 1; frame < frames; frame++) patches.copyWithin(at + frame * length, at, at + length);
        at += frames * length;
      }
    }
    const { height, width } = pictures[index];
    const view = { role: 'image', height: rows * side, width: columns * side } as const;
    return { views: [view], original: { height, width } };
  });
  return { kind: 'packed', images, patches: { data: patches, shape: [numPatches, frames * length] } };
}
