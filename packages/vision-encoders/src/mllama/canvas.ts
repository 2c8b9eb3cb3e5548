import { type ImageTokens, type PreparedImage, ShapeError } from '@mmllm/core';
import { layoutViews } from '../shared/layout';
import type { ResolvedMllamaConfig } from './config';

/** What a picture was fitted into. */
export interface Canvas {
  /** Of its aspect ratio in the tables of the tiles, from 1. */
  readonly id: number;
  /** Tiles that are picture, the first ones. */
  readonly numTiles: number;
}

/**
 * The canvas of each picture.
 * @throws ShapeError for another number or size of tiles, a canvas that is not known, or tiles that do not fill it.
 */
export function canvasesOf(
  images: readonly PreparedImage[],
  { aspectRatios, maxTiles, imageSize }: ResolvedMllamaConfig,
): Canvas[] {
  const refuse = (expected: string, actual: string) =>
    new ShapeError({ component: "encoder 'mllama'", expected, actual });
  return images.map(({ views, tiles = { rows: 1, columns: 1 } }) => {
    if (views.length !== maxTiles) {
      throw refuse(`${maxTiles} tiles for each picture, as preprocessing says`, `${views.length}`);
    }
    const other = views.find(({ height, width }) => height !== imageSize || width !== imageSize);
    if (other) {
      throw refuse(`tiles of ${imageSize}×${imageSize} pixels`, `${other.height}×${other.width}`);
    }
    const { rows, columns } = tiles;
    const index = aspectRatios.findIndex((ratio) => ratio[0] === rows && ratio[1] === columns);
    if (index < 0) {
      const known = aspectRatios.map((ratio) => ratio.join('×')).join(', ');
      throw refuse(`a canvas of ${known} tiles (rows × columns)`, `${rows}×${columns}`);
    }
    const numTiles = rows * columns;
    if (views.some(({ valid }, i) => (valid !== false) !== i < numTiles)) {
      throw refuse(
        `the first ${numTiles} tiles valid, and no other, for a canvas of ${rows}×${columns}`,
        `valid: ${views.map(({ valid }) => valid !== false).join(', ')}`,
      );
    }
    return { id: index + 1, numTiles };
  });
}

/** A class token and a square grid for each tile. */
export function layoutTiles(images: readonly PreparedImage[], side: number): ImageTokens[] {
  return layoutViews(images, () => ({ rows: side, columns: side, prefix: 1 }));
}
