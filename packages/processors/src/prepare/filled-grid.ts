import type { Size } from '../resize/size';
import { type TileGrid, tileGrids } from './grid';

/**
 * The grid that the picture fills best: of those that show it without scaling it down, the one with the least padding;
 * if there is none, the one that loses the least resolution. Equals: fewer tiles, then fewer rows.
 *
 * Source: MM1.5's dynamic splitting (Zhang et al., 2024, arXiv:2409.20566, section 3.5), equation 1.
 */
export function filledGrid(picture: Size, side: number, min: number, max: number): TileGrid {
  const tiles = ({ rows, columns }: TileGrid) => rows * columns;
  const grids = tileGrids(min, max).sort((a, b) => tiles(a) - tiles(b) || a.rows - b.rows);
  const covering = grids.filter(
    ({ rows, columns }) => rows * side >= picture.height && columns * side >= picture.width,
  );
  const shown = (grid: TileGrid) => {
    const { height, width } = fillingSize(picture, { height: grid.rows * side, width: grid.columns * side });
    return height * width;
  };
  if (covering.length > 0) return least(covering, (grid) => tiles(grid) * side * side - shown(grid));
  return least(grids, (grid) => -shown(grid));
}

/** The largest size of the picture's aspect in a canvas; the free side rounds half up, and never vanishes. */
export function fillingSize({ height, width }: Size, canvas: Size): Size {
  const rounded = (numerator: number, denominator: number) =>
    Math.max(1, Math.floor((2 * numerator + denominator) / (2 * denominator)));
  if (canvas.height * width <= canvas.width * height) {
    return { height: canvas.height, width: rounded(width * canvas.height, height) };
  }
  return { height: rounded(height * canvas.width, width), width: canvas.width };
}

/** The first of those with the least cost. */
function least(grids: readonly TileGrid[], cost: (grid: TileGrid) => number): TileGrid {
  return grids.reduce((best, grid) => (cost(grid) < cost(best) ? grid : best));
}
