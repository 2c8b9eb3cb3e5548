import {
  type ImageBatch,
  type ImageEncoder,
  type ImageFeatures,
  type ImageTokens,
  Module,
  type PatchPreprocessing,
  type PreparedImage,
  parseConfig,
  ShapeError,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { type NormalisationConfig, normalisation, positiveInteger } from '../shared/config';
import { layoutViews, type PictureSize } from '../shared/layout';
import { unitRange } from '../shared/preprocessing';

export interface FuyuConfig {
  /** Side of a patch in pixels. Default 30. */
  patchSize?: number;
  /** Larger pictures are shrunk to fit. Default 1080 × 1920. */
  maxSize?: PictureSize;
  /** Of the pixels, where it differs from the published mean and std of 0.5. */
  normalisation?: NormalisationConfig;
}

const schema = z.strictObject({
  patchSize: positiveInteger.default(30),
  maxSize: z
    .strictObject({ height: positiveInteger, width: positiveInteger })
    .default({ height: 1080, width: 1920 }),
  normalisation: normalisation.optional(),
});

/** Raw patches as features, so that the projector sees the pixels themselves. It has no parameters. */
export class RawPatches extends Module implements ImageEncoder {
  readonly specVersion = 'image-encoder/v1';
  readonly name = 'fuyu';
  readonly featureSize: number;
  readonly preprocessing: PatchPreprocessing;

  constructor({ patchSize, maxSize, normalisation }: z.output<typeof schema>) {
    super();
    this.featureSize = patchSize * patchSize * 3;
    // Padding is 1 of 255 before rescaling, which is almost black: so the published processor does.
    this.preprocessing = {
      kind: 'patches',
      patchSize,
      maxSize,
      resample: 'bilinear',
      padValue: 1,
      ...unitRange,
      ...normalisation,
    };
  }

  layout(images: readonly PreparedImage[]): ImageTokens[] {
    const { patchSize } = this.preprocessing;
    return layoutViews(images, ({ height, width }) => ({
      rows: Math.ceil(height / patchSize),
      columns: Math.ceil(width / patchSize),
      prefix: 0,
    }));
  }

  encode(batch: ImageBatch): ImageFeatures {
    const images = this.layout(batch.images);
    const rows = images.flatMap(({ views }) => views).reduce((sum, { count }) => sum + count, 0);
    const shape = batch.kind === 'packed' ? batch.patches.shape : batch.pixels.shape;
    if (batch.kind === 'packed' && shape[0] === rows && shape[1] === this.featureSize) {
      return { features: tf.clone(batch.patches), images };
    }
    throw new ShapeError({
      component: "encoder 'fuyu'",
      expected: `packed patches float32[${rows}, ${this.featureSize}]`,
      actual: `${batch.kind} [${shape.join(', ')}]`,
    });
  }
}

/**
 * No tower at all: pictures of any size become their patches, flattened (row, column, channel), row by row, and one
 * linear projector takes them into the decoder (Fuyu-8B, Adept 2023).
 *
 * @throws ConfigError for an unknown key or value.
 */
export function fuyu(config: FuyuConfig = {}): RawPatches {
  return new RawPatches(parseConfig('fuyu', schema, config));
}
