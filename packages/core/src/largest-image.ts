import type { ImagePreprocessing, ImageView, PreparedImage } from './contracts';

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
    case 'padded':
      return whole(square(preprocessing.longestEdge));
    case 'packed': {
      const { size, multiple } = preprocessing;
      const rounded =
        size.rule === 'pixels'
          ? Math.floor(Math.sqrt(size.max) / multiple)
          : Math.ceil(size.longestEdge / multiple);
      return whole(square(rounded * multiple));
    }
    case 'canvas':
      return tiled(square(preprocessing.tileSize), preprocessing.maxTiles, 'none');
    case 'crops':
      return tiled(preprocessing.cropSize, preprocessing.maxCrops, 'first');
    case 'tiles': {
      const { tileSize, maxTiles, thumbnail } = preprocessing;
      return tiled(square(tileSize), maxTiles, thumbnail);
    }
  }
}

/** A row of tiles; a picture of a single one has no thumbnail, and is the whole. */
function tiled(size: Size, count: number, thumbnail: 'first' | 'last' | 'none'): PreparedImage {
  const original = { height: size.height, width: size.width * count };
  if (count === 1) return { views: [{ role: 'image', ...size }], original };
  const tiles = Array.from(
    { length: count },
    (_, column): ImageView => ({ role: 'tile', ...size, tile: { row: 0, column } }),
  );
  const small: ImageView[] = thumbnail === 'none' ? [] : [{ role: 'thumbnail', ...size }];
  const views = thumbnail === 'first' ? [...small, ...tiles] : [...tiles, ...small];
  return { views, original, tiles: { rows: 1, columns: count } };
}
