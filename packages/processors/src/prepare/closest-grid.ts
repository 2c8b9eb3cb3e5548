import type { Size } from '../resize/size';
import { type TileGrid, tileGrids } from './grid';

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
  const tiles = ({ rows, columns }: TileGrid) => rows * columns;
  const grids = tileGrids(min, max).sort((a, b) => tiles(a) - tiles(b) || a.columns - b.columns);
  for (const grid of grids) {
    const distance = Math.abs(width / height - grid.columns / grid.rows);
    const filled = width * height > 0.5 * tileSize * tileSize * tiles(grid);
    if (distance < bestDistance || (distance === bestDistance && filled)) {
      best = grid;
      bestDistance = distance;
    }
  }
  return best;
}
