import type { ImageView, Picture, PreparedImage } from '@mmllm/core';
import type { Size, Window } from '../resize/size';
import { writeCoverage } from './coverage';
import type { TileGrid } from './grid';
import type { HostDense } from './host';

/** What becomes of one picture: its views are known at once, their pixels are made when their turn comes. */
export interface Plan {
  readonly views: readonly ImageView[];
  readonly tiles?: TileGrid;
  /** Where the picture lies in each view, for kinds that say their coverage. */
  readonly content?: readonly Window[];
  /** Writes float32[views, height, width, 3] from `offset` on. */
  write(pixels: Float32Array, offset: number): void;
}

/**
 * A batch of all views in order, float32[views, height, width, 3].
 *
 * @param patchSize of the patches whose coverage is said. Absent: it is not.
 */
export function denseImages(
  pictures: readonly Picture[],
  size: Size,
  plan: (picture: Picture) => Plan,
  patchSize?: number,
): HostDense {
  const plans = pictures.map(plan);
  const numViews = plans.reduce((sum, { views }) => sum + views.length, 0);
  const length = size.height * size.width * 3;
  const pixels = new Float32Array(numViews * length);
  let at = 0;
  const images = plans.map(({ views, tiles, write }, index): PreparedImage => {
    write(pixels, at);
    at += views.length * length;
    const { height, width } = pictures[index];
    return { views, original: { height, width }, ...(tiles && { tiles }) };
  });
  const content = patchSize ? plans.flatMap((plan) => plan.content ?? []) : undefined;
  return {
    kind: 'dense',
    images,
    pixels: { data: pixels, shape: [numViews, size.height, size.width, 3] },
    ...(patchSize && content && { content, coverage: coverageOf(content, size, patchSize) }),
  };
}

function coverageOf(content: readonly Window[], { height, width }: Size, patchSize: number): Float32Array {
  const grid = { rows: Math.floor(height / patchSize), columns: Math.floor(width / patchSize) };
  const coverage = new Float32Array(content.length * grid.rows * grid.columns);
  content.forEach((part, view) => {
    writeCoverage(coverage, view * grid.rows * grid.columns, grid, patchSize, part);
  });
  return coverage;
}
