import type { ImageView } from '@mmllm/core';
import type { Size, Window } from '../resize/size';

/** Tiles of a picture: `rows · columns`. */
export interface TileGrid {
  readonly rows: number;
  readonly columns: number;
}

/** Every grid of `min` to `max` tiles, those of few rows first. */
export function tileGrids(min: number, max: number): TileGrid[] {
  const found: TileGrid[] = [];
  for (let rows = 1; rows <= max; rows++) {
    for (let columns = 1; rows * columns <= max; columns++) {
      if (rows * columns >= min) found.push({ rows, columns });
    }
  }
  return found;
}

/** The views of a grid, row by row. */
export function tileViews({ rows, columns }: TileGrid, { height, width }: Size): ImageView[] {
  return Array.from({ length: rows * columns }, (_, i) => ({
    role: 'tile' as const,
    height,
    width,
    tile: { row: Math.floor(i / columns), column: i % columns },
  }));
}

/** Where the tiles of a grid lie, row by row, seen from the top left corner of the picture that is laid over it. */
export function tileWindows(
  { rows, columns }: TileGrid,
  { height, width }: Size,
  place = { top: 0, left: 0 },
): Window[] {
  return Array.from({ length: rows * columns }, (_, i) => ({
    top: Math.floor(i / columns) * height - place.top,
    left: (i % columns) * width - place.left,
    height,
    width,
  }));
}
