import type { CanvasPreprocessing, ImagePreprocessing, ImageView, PreparedImage } from './contracts';

interface Size {
  readonly height: number;
  readonly width: number;
}

const square = (side: number): Size => ({ height: side, width: side });
const whole = (size: Size): PreparedImage => ({ views: [{ role: 'image', ...size }], original: size });

/** The picture that becomes the most tokens, as it would be prepared. Undefined where the rule does not say. */
export function largestImage(preprocessing: ImagePreprocessing): PreparedImage | undefined {
  switch (preprocessing.kind) {
    case 'custom':
      return undefined;
    case 'fixed':
      return whole(preprocessing.size);
    case 'patches':
      return whole(preprocessing.maxSize);
    case 'padded': {
      const { longestEdge, splitResolutions = [] } = preprocessing;
      const count = mostTiles(splitResolutions, longestEdge);
      return tiled(square(longestEdge), count, 'none');
    }
    case 'packed': {
      const { size, multiple } = preprocessing;
      const rounded =
        size.rule === 'pixels'
          ? Math.floor(Math.sqrt(size.max) / multiple)
          : Math.ceil(size.longestEdge / multiple);
      return whole(square(rounded * multiple));
    }
    case 'canvas':
      return canvas(preprocessing);
    case 'crops':
      return withThumbnail(preprocessing.cropSize, preprocessing.maxCrops);
    case 'anyres': {
      const { tileSize, resolutions } = preprocessing;
      return withThumbnail(square(tileSize), mostTiles(resolutions, tileSize));
    }
    case 'tiles': {
      const { tileSize, maxTiles, thumbnail } = preprocessing;
      return tiled(square(tileSize), maxTiles, thumbnail);
    }
  }
}

const mostTiles = (resolutions: readonly Size[], side: number): number =>
  Math.max(1, ...resolutions.map(({ height, width }) => Math.ceil(height / side) * Math.ceil(width / side)));

/** The canvas of the most tiles; views that it does not fill are there, but do not count. */
function canvas({
  tileSize,
  maxTiles,
  grids = [{ rows: 1, columns: maxTiles }],
}: CanvasPreprocessing): PreparedImage {
  const { rows, columns } = grids.reduce((most, grid) => (tilesOf(grid) > tilesOf(most) ? grid : most));
  const views = Array.from({ length: maxTiles }, (_, i): ImageView => {
    const view = { role: 'tile', ...square(tileSize) } as const;
    if (i >= rows * columns) return { ...view, valid: false };
    return { ...view, tile: { row: Math.floor(i / columns), column: i % columns } };
  });
  return {
    views,
    original: { height: rows * tileSize, width: columns * tileSize },
    tiles: { rows, columns },
  };
}

const tilesOf = ({ rows, columns }: { rows: number; columns: number }): number => rows * columns;

/** A row of tiles; a picture of a single one has no thumbnail, and is the whole. */
function tiled(size: Size, count: number, thumbnail: 'first' | 'last' | 'none'): PreparedImage {
  if (count === 1) return whole(size);
  if (thumbnail === 'first') return withThumbnail(size, count);
  const tiles = row(size, count);
  if (thumbnail === 'none') return tiles;
  return { ...tiles, views: [...tiles.views, { role: 'thumbnail', ...size }] };
}

/** The whole, then a row of tiles, also where that is a single one. */
function withThumbnail(size: Size, count: number): PreparedImage {
  const tiles = row(size, count);
  return { ...tiles, views: [{ role: 'thumbnail', ...size }, ...tiles.views] };
}

function row(size: Size, columns: number): PreparedImage {
  const views = Array.from(
    { length: columns },
    (_, column): ImageView => ({ role: 'tile', ...size, tile: { row: 0, column } }),
  );
  const original = { height: size.height, width: size.width * columns };
  return { views, original, tiles: { rows: 1, columns } };
}
