import type { Module } from '../module';
import type { ImageBatch, ImageFeatures, ImagePreprocessing, ImageTokens, PreparedImage } from './images';

/**
 * Pictures to feature rows: dense towers (CLIP, SigLIP, ViT), tiles of one picture, packed sequences of any size
 * (Qwen2-VL, Pixtral), or raw patches with no tower at all (Fuyu). Which layer, or layers, the features come from,
 * before or after the last norm, with or without the class token, is the encoder's configuration.
 */
export interface ImageEncoder extends Module {
  readonly specVersion: 'image-encoder/v1';
  /** Name for tables and messages. */
  readonly name: string;
  /** D of the features. */
  readonly featureSize: number;
  /** What it wants done to pictures. */
  readonly preprocessing: ImagePreprocessing;
  /** The rows and grids that `encode` will give for such pictures; runs no kernel. */
  layout(images: readonly PreparedImage[]): ImageTokens[];
  /**
   * float32[rows, featureSize] of the whole batch. The caller owns the features.
   * @throws ShapeError if the batch is of another kind or size than its preprocessing makes.
   */
  encode(batch: ImageBatch): ImageFeatures;
}
