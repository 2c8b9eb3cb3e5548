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
  /** When files are decoded, transparency is dropped, or pictures are laid over white (Llama 3.2). Default `drop`. */
  readonly alpha?: 'drop' | 'white';
}

/** Every picture becomes one view of one size. */
export interface FixedPreprocessing extends Normalisation {
  readonly kind: 'fixed';
  readonly size: { readonly height: number; readonly width: number };
  /**
   * `stretch` ignores the aspect; `crop` scales the shortest edge and cuts the centre; `pad` fills up to the aspect of
   * the size and scales then (LLaVA 1.5); `letterbox` scales until the picture fits and fills then (Janus).
   */
  readonly fit: 'stretch' | 'crop' | 'pad' | 'letterbox';
  readonly resample: Resample;
  /** Fill colour of `pad` and `letterbox`, 0 … 255. Default black. */
  readonly background?: readonly [number, number, number];
  /** Of `crop`: what the shortest edge is scaled to. Default: so far that the picture just covers the size. */
  readonly shortestEdge?: number;
  /** Of `letterbox`: the short edge is scaled to no less. Default 1. */
  readonly minShortEdge?: number;
}

/** A picture is cut into a grid of square tiles, chosen by its aspect, with a thumbnail of the whole. */
export interface TiledPreprocessing extends Normalisation {
  readonly kind: 'tiles';
  /**
   * `stretch` takes the grid closest in aspect and stretches the picture over it (InternVL, NVLM). `pad` keeps the
   * aspect: the picture is centred on black, in the grid that it fills best without being scaled down, else in the one
   * that loses least of its resolution; the thumbnail likewise (MM1.5). Default `stretch`.
   */
  readonly fit?: 'stretch' | 'pad';
  readonly tileSize: number;
  readonly minTiles: number;
  readonly maxTiles: number;
  /** Where the thumbnail stands among the views. A picture of a single tile gets none. */
  readonly thumbnail: 'first' | 'last' | 'none';
  readonly resample: Resample;
}

/**
 * A thumbnail of the whole, stretched to one tile, and then the square tiles of a larger view: the picture is scaled
 * with its aspect kept to the best of the resolutions, and centred there on black (LLaVA-NeXT's AnyRes).
 */
export interface AnyResPreprocessing extends Normalisation {
  readonly kind: 'anyres';
  readonly tileSize: number;
  /** What the larger view may measure; sides are multiples of the tile. */
  readonly resolutions: readonly { readonly height: number; readonly width: number }[];
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

/**
 * A picture of any size keeps its aspect; both sides become multiples of `multiple` pixels, and its patches are packed
 * one after the other, row by row (Qwen2-VL, Pixtral).
 */
export interface PackedPreprocessing extends Normalisation {
  readonly kind: 'packed';
  readonly patchSize: number;
  /** Sides are multiples of this, in pixels: of the patch, or of a block of patches that is merged later. */
  readonly multiple: number;
  /**
   * `pixels`: sides are rounded to the nearest multiple and the area kept within bounds (Qwen2-VL's smart resize).
   * `longestEdge`: larger pictures are shrunk to it, then sides are rounded up (Pixtral).
   */
  readonly size:
    | { readonly rule: 'pixels'; readonly min: number; readonly max: number }
    | { readonly rule: 'longestEdge'; readonly longestEdge: number };
  /** Frames that one patch spans; a still picture is repeated so often. Default 1. */
  readonly framesPerPatch?: number;
  readonly resample: Resample;
}

/**
 * A picture is fitted into the canvas of at most `maxTiles` square tiles that shows it best, filled up at the right and
 * at the bottom, and cut; missing tiles are views that do not count, so that every picture has `maxTiles` (Llama 3.2).
 */
export interface CanvasPreprocessing extends Normalisation {
  readonly kind: 'canvas';
  readonly tileSize: number;
  readonly maxTiles: number;
  /** The canvases there are, in tiles. Default: all of at most `maxTiles`. */
  readonly grids?: readonly { readonly rows: number; readonly columns: number }[];
  readonly resample: Resample;
}

/**
 * A picture is scaled to its longest edge, its short edge to no less than `minShortEdge`, and filled up to a square at
 * the right and at the bottom; `coverage` says which patches are picture (Aria).
 */
export interface PaddedPreprocessing extends Normalisation {
  readonly kind: 'padded';
  readonly patchSize: number;
  readonly longestEdge: number;
  readonly minShortEdge: number;
  /**
   * Pictures are first scaled into the best of these sizes, centred on black and cut into tiles of `longestEdge`, each
   * of which is then treated like a picture. Absent: they are not cut.
   */
  readonly splitResolutions?: readonly { readonly height: number; readonly width: number }[];
  readonly resample: Resample;
}

/**
 * The whole picture as a thumbnail, then overlapping crops of a larger view of it, all of one size, with `coverage`
 * (Molmo); also a picture of a single crop has the thumbnail. Resizing is bilinear in float32, and the padding around
 * the centred picture is 0 before normalisation.
 */
export interface CropsPreprocessing extends Normalisation {
  readonly kind: 'crops';
  readonly cropSize: { readonly height: number; readonly width: number };
  readonly patchSize: number;
  readonly maxCrops: number;
  /** Patches by which neighbouring crops overlap: at the left or top, and at the right or bottom. */
  readonly overlap: readonly [number, number];
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
  | AnyResPreprocessing
  | PatchPreprocessing
  | PackedPreprocessing
  | CanvasPreprocessing
  | PaddedPreprocessing
  | CropsPreprocessing
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
  /**
   * float32[views · patches of a view]: the part of each patch that is picture and not padding, 0 … 1, patches row by
   * row. Absent: all is picture.
   */
  readonly coverage?: Float32Array;
}

/** Patches of all views in order, without padding between views of different size. */
export interface PackedImages extends BatchOfImages {
  readonly kind: 'packed';
  /**
   * float32[patches, frames · patchSize · patchSize · 3]: the patches of each view row by row, each flattened (frame,
   * row, column, channel). A patch spans one frame unless the preprocessing says otherwise.
   */
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
  /** Size of the picture before preparation, in pixels. */
  readonly original?: { readonly height: number; readonly width: number };
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
