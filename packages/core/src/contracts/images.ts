import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';

/** A decoded picture: uint8[height, width, 3], RGB, row by row. */
export interface Picture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export type Resample = 'nearest' | 'box' | 'bilinear' | 'bicubic' | 'lanczos';

/** Pixel values become `(value · rescale − mean) / std`, per channel. */
export interface Normalisation {
  /** Usually 1/255. */
  readonly rescale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Every picture becomes one view of one size. */
export interface FixedPreprocessing extends Normalisation {
  readonly kind: 'fixed';
  readonly size: { readonly height: number; readonly width: number };
  /** `stretch` ignores the aspect; `crop` scales the shortest edge and cuts the centre; `pad` keeps all and fills. */
  readonly fit: 'stretch' | 'crop' | 'pad';
  readonly resample: Resample;
  /** Fill colour of `pad`, 0 … 255. Default black. */
  readonly background?: readonly [number, number, number];
}

/** A picture is cut into a grid of square tiles, chosen by its aspect, with a thumbnail of the whole. */
export interface TiledPreprocessing extends Normalisation {
  readonly kind: 'tiles';
  readonly tileSize: number;
  readonly minTiles: number;
  readonly maxTiles: number;
  /** Where the thumbnail stands among the views. A picture of a single tile gets none. */
  readonly thumbnail: 'first' | 'last' | 'none';
  readonly resample: Resample;
}

/** Raw patches of any picture size; the last row and column are padded to whole patches. */
export interface PatchPreprocessing extends Normalisation {
  readonly kind: 'patches';
  readonly patchSize: number;
  /** Larger pictures are shrunk to fit, keeping their aspect. */
  readonly maxSize: { readonly height: number; readonly width: number };
  readonly resample: Resample;
  /** Fill of the padding before rescaling, 0 … 255. */
  readonly padValue: number;
}

/** A rule that no other kind expresses; the encoder brings the code. */
export interface CustomPreprocessing {
  readonly kind: 'custom';
  prepare(pictures: readonly Picture[]): ImageBatch;
}

/** What an encoder wants done to pictures, as data, so that swapping the encoder swaps its preprocessing. */
export type ImagePreprocessing =
  | FixedPreprocessing
  | TiledPreprocessing
  | PatchPreprocessing
  | CustomPreprocessing;

export type ViewRole = 'image' | 'tile' | 'thumbnail' | 'frame';

/** One prepared picture of a picture: the whole, a tile, a thumbnail or a video frame. Sizes in pixels. */
export interface ImageView {
  readonly role: ViewRole;
  readonly height: number;
  readonly width: number;
  /** Place of a tile in the grid of tiles. */
  readonly tile?: { readonly row: number; readonly column: number };
  /** False for a view that only fills up the batch (Llama 3.2 pads to four tiles). Default true. */
  readonly valid?: boolean;
}

/** What became of one picture. */
export interface PreparedImage {
  readonly views: readonly ImageView[];
  /** Size of the picture before preparation, in pixels. */
  readonly original: { readonly height: number; readonly width: number };
  readonly tiles?: { readonly rows: number; readonly columns: number };
}

interface BatchOfImages {
  readonly images: readonly PreparedImage[];
}

/** All views of all pictures in order, at one size. */
export interface DenseImages extends BatchOfImages {
  readonly kind: 'dense';
  /** float32[views, height, width, 3] */
  readonly pixels: Tensor4D;
}

/** Patches of all views in order, without padding between views of different size. */
export interface PackedImages extends BatchOfImages {
  readonly kind: 'packed';
  /** float32[patches, patchSize · patchSize · 3], a patch flattened (row, column, channel) */
  readonly patches: Tensor2D;
}

/** What an image encoder takes. The tensors belong to whoever made the batch; `disposeImages` frees them. */
export type ImageBatch = DenseImages | PackedImages;

export function disposeImages(batch: ImageBatch): void {
  if (batch.kind === 'dense') batch.pixels.dispose();
  else batch.patches.dispose();
}

/** How a view's tokens lie: `frames · rows · columns` of them, in this order. */
export interface TokenGrid {
  readonly frames: number;
  readonly rows: number;
  readonly columns: number;
}

/** Which feature rows are the tokens of one view. */
export interface ViewTokens {
  readonly role: ViewRole;
  /** First row in the features of the batch. */
  readonly start: number;
  readonly count: number;
  /** Tokens in front that stand in no grid (class and register tokens). */
  readonly prefix: number;
  /** Grid of the other tokens; absent where they form none (resampled queries). */
  readonly grid?: TokenGrid;
  readonly tile?: { readonly row: number; readonly column: number };
  readonly valid?: boolean;
}

/** The tokens of one picture; its views are contiguous rows, in order. */
export interface ImageTokens {
  readonly views: readonly ViewTokens[];
  readonly tiles?: { readonly rows: number; readonly columns: number };
}

/** What encoders and projectors give. */
export interface ImageFeatures {
  /** float32[rows, D]: all views of all pictures, one below the other. */
  readonly features: Tensor2D;
  readonly images: readonly ImageTokens[];
  /** uint8[rows], 0 for rows that are padding. Absent: all count. */
  readonly mask?: Uint8Array;
}

/** First row and number of rows of a picture. */
export function rowsOf(image: ImageTokens): { start: number; count: number } {
  const count = image.views.reduce((sum, view) => sum + view.count, 0);
  return { start: image.views[0]?.start ?? 0, count };
}
