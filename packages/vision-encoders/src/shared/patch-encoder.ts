import type { NameMap } from '@mmllm/checkpoints';
import {
  ConfigError,
  type ImageBatch,
  type ImageEncoder,
  type ImageFeatures,
  type ImagePreprocessing,
  type ImageTokens,
  Module,
  type PreparedImage,
  parseConfig,
  ShapeError,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { type NormalisationConfig, normalisation, positiveInteger } from './config';
import { lecunNormal } from './initializers';
import { densePixels, layoutViews, type PictureSize } from './layout';
import { patchWeightName } from './names';
import { PatchEmbedding, type PatchEmbeddingOptions } from './patch-embedding';
import { preprocessingFor, unitRange } from './preprocessing';

export interface PatchEncoderConfig {
  /** Pixels of the prepared pictures; a single number for squares. What fills no whole patch is left out. */
  inputSize: number | PictureSize;
  /** Side of a patch in pixels. */
  patchSize: number;
  hiddenSize: number;
  /** Default true. */
  bias?: boolean;
  /** Of the pixels. Default: mean and std of 0.5. */
  normalisation?: NormalisationConfig;
}

const schema = z.strictObject({
  inputSize: z.union([
    positiveInteger.transform((side) => ({ height: side, width: side })),
    z.strictObject({ height: positiveInteger, width: positiveInteger }),
  ]),
  patchSize: positiveInteger,
  hiddenSize: positiveInteger,
  bias: z.boolean().default(true),
  normalisation: normalisation.optional(),
});

/** Patches through one linear layer or one strided convolution, and nothing else. */
export class PatchEncoder extends Module implements ImageEncoder {
  readonly specVersion = 'image-encoder/v1';
  readonly name: string;
  readonly featureSize: number;
  readonly preprocessing: ImagePreprocessing;
  readonly patchEmbedding: PatchEmbedding;
  private readonly config: z.output<typeof schema>;

  constructor(name: string, config: z.output<typeof schema>, form: PatchEmbeddingOptions['form']) {
    super();
    const { patchSize, hiddenSize, bias } = config;
    this.name = name;
    this.config = config;
    this.featureSize = hiddenSize;
    this.preprocessing = preprocessingFor(config, { ...unitRange, fit: 'stretch', resample: 'bicubic' });
    const initializer = lecunNormal(patchSize * patchSize * 3);
    this.patchEmbedding = new PatchEmbedding({ patchSize, hiddenSize, bias, initializer, form });
  }

  /** @throws ShapeError for a view of another size than `inputSize`. */
  layout(images: readonly PreparedImage[]): ImageTokens[] {
    const { inputSize, patchSize } = this.config;
    return layoutViews(images, ({ height, width }) => {
      if (height === inputSize.height && width === inputSize.width) {
        return { rows: Math.floor(height / patchSize), columns: Math.floor(width / patchSize), prefix: 0 };
      }
      throw new ShapeError({
        component: `encoder '${this.name}'`,
        expected: `views of ${inputSize.height}×${inputSize.width} pixels`,
        actual: `${height}×${width}`,
      });
    });
  }

  encode(batch: ImageBatch): ImageFeatures {
    const images = this.layout(batch.images);
    const pixels = densePixels(batch, this.config.inputSize, `encoder '${this.name}'`);
    const features = tf.tidy(() =>
      tf.reshape<tf.Rank.R2>(this.patchEmbedding.forward(pixels), [-1, this.featureSize]),
    );
    return { features, images };
  }
}

/** A factory of such encoders, with the names of a PyTorch convolution: `weight` [out, 3, patch, patch] and `bias`. */
export function patchEncoder(name: string, form: PatchEmbeddingOptions['form']) {
  const build = (config: PatchEncoderConfig): PatchEncoder => {
    const parsed = parseConfig(name, schema, config);
    const { inputSize, patchSize } = parsed;
    if (patchSize > Math.min(inputSize.height, inputSize.width)) {
      throw new ConfigError({
        component: `${name}.patchSize`,
        expected: 'a patch within the picture',
        actual: `${patchSize}`,
      });
    }
    return new PatchEncoder(name, parsed, form);
  };
  const names = ({ patchSize }: Pick<PatchEncoderConfig, 'patchSize'>): NameMap => ({
    rules: [
      patchWeightName('weight', [patchSize, patchSize]),
      { ours: 'patchEmbedding.bias', theirs: 'bias' },
    ],
  });
  return Object.assign(build, { checkpoint: { names } });
}
