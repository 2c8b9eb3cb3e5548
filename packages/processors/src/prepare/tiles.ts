import type { ImageView, Picture, TiledPreprocessing } from '@mmllm/core';
import { resize } from '../resize/resize';
import { centred, type Size, type Window } from '../resize/size';
import { checkCounts, checkField } from './check';
import { closestGrid } from './closest-grid';
import { denseImages, type Plan } from './dense';
import { filledGrid, fillingSize } from './filled-grid';
import { type TileGrid, tileViews, tileWindows } from './grid';
import type { HostDense } from './host';
import { type PixelWriter, pixelWriter } from './pixels';

/**
 * Tiles row by row, float32[views, tileSize, tileSize, 3]. A picture of a single tile becomes one view of role
 * `image`.
 *
 * @throws ConfigError if the numbers of tiles are not 1 ≤ minTiles ≤ maxTiles.
 */
export function prepareTiles(pictures: readonly Picture[], preprocessing: TiledPreprocessing): HostDense {
  const { tileSize, minTiles, maxTiles } = preprocessing;
  checkCounts({ tileSize, minTiles, maxTiles });
  checkField('minTiles', minTiles <= maxTiles, `1 … maxTiles (${maxTiles})`, minTiles);
  const writer = pixelWriter(preprocessing);
  const square = { height: tileSize, width: tileSize };
  return denseImages(pictures, square, (picture) => plan(picture, preprocessing, writer));
}

function plan(picture: Picture, preprocessing: TiledPreprocessing, { write }: PixelWriter): Plan {
  const { tileSize: side, minTiles, maxTiles, thumbnail, fit = 'stretch' } = preprocessing;
  const square = { height: side, width: side };
  const choose = fit === 'stretch' ? closestGrid : filledGrid;
  const tiles = choose(picture, side, minTiles, maxTiles);
  const single = tiles.rows * tiles.columns === 1;
  const whole: TileGrid = { rows: 1, columns: 1 };
  const tileParts: ImageView[] = single ? [{ role: 'image', ...square }] : tileViews(tiles, square);
  const small: ImageView[] = single || thumbnail === 'none' ? [] : [{ role: 'thumbnail', ...square }];
  const first = thumbnail === 'first';
  return {
    tiles,
    views: first ? [...small, ...tileParts] : [...tileParts, ...small],
    write(pixels, offset) {
      let at = offset;
      const add = (grid: TileGrid) => {
        const [laid, windows] = laidOver(picture, grid, preprocessing);
        for (const window of windows) {
          write(pixels, at, laid, window);
          at += side * side * 3;
        }
      };
      if (first && small.length > 0) add(whole);
      add(tiles);
      if (!first && small.length > 0) add(whole);
    },
  };
}

/** The picture as it is laid over a grid, and where the tiles lie in it. */
function laidOver(picture: Picture, grid: TileGrid, preprocessing: TiledPreprocessing): [Picture, Window[]] {
  const { tileSize: side, resample, fit } = preprocessing;
  const canvas: Size = { height: grid.rows * side, width: grid.columns * side };
  const size = fit === 'pad' ? fillingSize(picture, canvas) : canvas;
  const windows = tileWindows(grid, { height: side, width: side }, centred(size, canvas));
  return [resize(picture, size, resample), windows];
}
