import type { Window } from '../resize/size';
import type { TileGrid } from './grid';

/** Writes float32[rows · columns]: the part of each patch of a view that lies in the rectangle of its picture. */
export function writeCoverage(
  target: Float32Array,
  offset: number,
  { rows, columns }: TileGrid,
  patchSize: number,
  { top, left, height, width }: Window,
): void {
  const down = covered(rows, patchSize, top, top + height);
  const across = covered(columns, patchSize, left, left + width);
  down.forEach((pixelsDown, row) => {
    across.forEach((pixelsAcross, column) => {
      target[offset + row * columns + column] = (pixelsDown * pixelsAcross) / (patchSize * patchSize);
    });
  });
}

/** How many pixels of each patch along one axis lie between two places. */
function covered(count: number, patchSize: number, start: number, end: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const from = i * patchSize;
    return Math.max(0, Math.min(end, from + patchSize) - Math.max(start, from));
  });
}
