import type { Size } from '../resize/size';

/** Tiles of a picture: `rows · columns`. */
export interface TileGrid {
  readonly rows: number;
  readonly columns: number;
}

/**
 * The grid whose aspect is closest to the picture's. Among equals the larger one wins, as long as the picture has
 * more than half of its pixels.
 *
 * Source: InternVL's dynamic tiling (Chen et al., 2024, arXiv:2404.16821), in the order of transformers'
 * `get_optimal_tiled_canvas`; NVLM tiles by the same rule.
 */
export function closestGrid({ height, width }: Size, tileSize: number, min: number, max: number): TileGrid {
  let best: TileGrid = { rows: 1, columns: 1 };
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const grid of grids(min, max)) {
    const distance = Math.abs(width / height - grid.columns / grid.rows);
    const filled = width * height > 0.5 * tileSize * tileSize * grid.columns * grid.rows;
    if (distance < bestDistance || (distance === bestDistance && filled)) {
      best = grid;
      bestDistance = distance;
    }
  }
  return best;
}

/** Every grid of `min` to `max` tiles, the small ones first, among those the narrow ones. */
function grids(min: number, max: number): TileGrid[] {
  const found: TileGrid[] = [];
  for (let columns = 1; columns <= max; columns++) {
    for (let rows = 1; rows * columns <= max; rows++) {
      if (rows * columns >= min) found.push({ rows, columns });
    }
  }
  return found.sort((a, b) => a.rows * a.columns - b.rows * b.columns);
}
