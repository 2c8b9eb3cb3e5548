import {
  ConfigError,
  type DenseImages,
  type ImageView,
  type Picture,
  type PreparedImage,
  type TiledPreprocessing,
} from '@mmllm/core';
import { resize } from '../resize/resize';
import type { Window } from '../resize/size';
import { denseImages } from './dense';
import { closestGrid, type TileGrid } from './grid';
import { pixelWriter } from './pixels';

/** A view, and where its pixels come from. */
interface Cut {
  readonly view: ImageView;
  readonly picture: Picture;
  readonly part: Window;
}

/**
 * Tiles row by row, float32[views, tileSize, tileSize, 3]. The picture is stretched over the whole grid first. A
 * picture of a single tile becomes one view of role `image`.
 *
 * @throws ConfigError if the numbers of tiles are not 1 ≤ minTiles ≤ maxTiles.
 */
export function prepareTiles(pictures: readonly Picture[], preprocessing: TiledPreprocessing): DenseImages {
  const { tileSize: side, minTiles, maxTiles } = preprocessing;
  if (!(minTiles >= 1 && minTiles <= maxTiles)) {
    throw new ConfigError({
      component: 'preprocessing.minTiles',
      expected: `1 … maxTiles (${maxTiles})`,
      actual: String(minTiles),
    });
  }
  const grids = pictures.map((picture) => closestGrid(picture, side, minTiles, maxTiles));
  const numViews = grids.reduce((sum, grid) => sum + viewsOf(grid, preprocessing), 0);
  const length = side * side * 3;
  const pixels = new Float32Array(numViews * length);
  const { write } = pixelWriter(preprocessing);
  let at = 0;
  const images = pictures.map((picture, index): PreparedImage => {
    const cuts = cutUp(picture, grids[index], preprocessing);
    for (const cut of cuts) {
      write(pixels, at, cut.picture, cut.part);
      at += length;
    }
    const { height, width } = picture;
    return { views: cuts.map((cut) => cut.view), original: { height, width }, tiles: grids[index] };
  });
  return denseImages(images, pixels, { height: side, width: side });
}

const hasThumbnail = ({ rows, columns }: TileGrid, { thumbnail }: TiledPreprocessing): boolean =>
  thumbnail !== 'none' && rows * columns > 1;

const viewsOf = (grid: TileGrid, preprocessing: TiledPreprocessing): number =>
  grid.rows * grid.columns + (hasThumbnail(grid, preprocessing) ? 1 : 0);

function cutUp(picture: Picture, grid: TileGrid, preprocessing: TiledPreprocessing): Cut[] {
  const { tileSize: side, resample, thumbnail } = preprocessing;
  const { rows, columns } = grid;
  const square = { height: side, width: side };
  const whole = { top: 0, left: 0, ...square };
  const stretched = resize(picture, { height: rows * side, width: columns * side }, resample);
  if (rows * columns === 1) return [{ view: { role: 'image', ...square }, picture: stretched, part: whole }];
  const cuts: Cut[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const part = { top: row * side, left: column * side, ...square };
      cuts.push({ view: { role: 'tile', ...square, tile: { row, column } }, picture: stretched, part });
    }
  }
  if (!hasThumbnail(grid, preprocessing)) return cuts;
  const small = resize(picture, square, resample);
  const last: Cut = { view: { role: 'thumbnail', ...square }, picture: small, part: whole };
  return thumbnail === 'first' ? [last, ...cuts] : [...cuts, last];
}
