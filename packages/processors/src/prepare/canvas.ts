import type { CanvasPreprocessing, ImageView, Picture } from '@mmllm/core';
import { resize } from '../resize/resize';
import type { Size } from '../resize/size';
import { checkCounts, checkField } from './check';
import { denseImages } from './dense';
import { type TileGrid, tileGrids, tileViews, tileWindows } from './grid';
import type { HostDense } from './host';
import { pixelWriter } from './pixels';

/**
 * The tiles of a canvas row by row, float32[pictures · maxTiles, tileSize, tileSize, 3]. Missing tiles are zeros, not
 * normalised black, in views that are not `valid`.
 *
 * Source: Llama 3.2's image transform (meta-llama/llama-models, models/llama3/multimodal/image_transform.py), as
 * transformers' `MllamaImageProcessor` has it.
 */
export function prepareCanvas(pictures: readonly Picture[], preprocessing: CanvasPreprocessing): HostDense {
  const { tileSize: side, maxTiles, resample } = preprocessing;
  checkCounts({ tileSize: side, maxTiles });
  const grids = tileGrids(1, maxTiles).filter((grid) => isThere(grid, preprocessing));
  checkField('grids', grids.length > 0, `a canvas of at most ${maxTiles} tiles`, preprocessing.grids);
  const square = { height: side, width: side };
  const { write } = pixelWriter(preprocessing);
  return denseImages(pictures, square, (picture) => {
    const tiles = bestCanvas(picture, side, grids);
    const missing: ImageView = { role: 'tile', ...square, valid: false };
    const views = tileViews(tiles, square);
    return {
      tiles,
      views: [...views, ...Array.from({ length: maxTiles - views.length }, () => missing)],
      write(pixels, offset) {
        const fitted = resize(picture, fittedSize(picture, tiles, side), resample);
        tileWindows(tiles, square).forEach((window, i) => {
          write(pixels, offset + i * side * side * 3, fitted, window);
        });
      },
    };
  });
}

const isThere = ({ rows, columns }: TileGrid, { grids }: CanvasPreprocessing): boolean =>
  grids?.some((grid) => grid.rows === rows && grid.columns === columns) ?? true;

/**
 * The canvas that needs the least enlargement to be filled or, where the picture is too large for all, the least
 * reduction. Among equals the smallest.
 */
function bestCanvas({ height, width }: Size, side: number, grids: readonly TileGrid[]): TileGrid {
  const scale = ({ rows, columns }: TileGrid) => Math.min((rows * side) / height, (columns * side) / width);
  const better = (a: TileGrid, b: TileGrid): boolean => {
    const [x, y] = [scale(a), scale(b)];
    if (x === y) return a.rows * a.columns < b.rows * b.columns;
    if (x >= 1 && y >= 1) return x < y;
    return x > y;
  };
  return grids.reduce((best, grid) => (better(grid, best) ? grid : best));
}

/** Small pictures grow to the side of a tile at most, large ones shrink into the canvas; the aspect is kept. */
function fittedSize(picture: Size, { rows, columns }: TileGrid, side: number): Size {
  const height = Math.min(Math.max(picture.height, side), rows * side);
  const width = Math.min(Math.max(picture.width, side), columns * side);
  const down = height / picture.height;
  const across = width / picture.width;
  if (across < down) return { height: Math.min(Math.floor(picture.height * across) || 1, height), width };
  return { height, width: Math.min(Math.floor(picture.width * down) || 1, width) };
}
