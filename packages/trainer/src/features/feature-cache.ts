import type { ImageSource, ImageTokens, PreparedImage } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';

/** What frozen parts made of one picture. */
export interface PictureFeatures {
  readonly prepared: PreparedImage;
  /** Its tokens, with rows counted from 0. */
  readonly image: ImageTokens;
  /** float32[rows, D] */
  readonly features: tf.Tensor2D;
  /** uint8[rows], 0 for rows that are padding. */
  readonly mask?: Uint8Array;
}

/**
 * Features by picture: by the object, or the text of a path. What is in stays until `dispose`; since epochs visit
 * every picture equally often, dropping one for another would gain nothing.
 */
export class FeatureCache {
  private readonly entries = new Map<ImageSource, PictureFeatures>();
  private bytes = 0;

  /** @param maxBytes room for features; 0 keeps none. */
  constructor(readonly maxBytes: number) {}

  get(source: ImageSource): PictureFeatures | undefined {
    return this.entries.get(source);
  }

  /** Takes the features over, if there is room and the picture is new; otherwise false, and they stay the caller's. */
  add(source: ImageSource, entry: PictureFeatures): boolean {
    const bytes = entry.features.size * 4;
    if (this.entries.has(source) || this.bytes + bytes > this.maxBytes) return false;
    this.entries.set(source, entry);
    this.bytes += bytes;
    return true;
  }

  dispose(): void {
    for (const { features } of this.entries.values()) features.dispose();
    this.entries.clear();
    this.bytes = 0;
  }
}
