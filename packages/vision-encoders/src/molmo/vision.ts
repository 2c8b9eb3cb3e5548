import {
  type CropsPreprocessing,
  type ImageBatch,
  type ImageEncoder,
  type ImageFeatures,
  type ImageTokens,
  Module,
  normal,
  Parameter,
  type PreparedImage,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkCoverage } from '../shared/coverage';
import { sameEverywhere } from '../shared/initializers';
import { clipPixels } from '../shared/preprocessing';
import { VisionTransformer } from '../shared/vision-transformer';
import type { ResolvedMolmoConfig } from './config';

const COMPONENT = 'molmo';

/**
 * CLIP's tower on the crops of a picture, each alone; several states joined, without class token and last norm, plus
 * what tells padding apart.
 */
export class MolmoVision extends Module implements ImageEncoder {
  readonly specVersion = 'image-encoder/v1';
  readonly name = COMPONENT;
  readonly featureSize: number;
  readonly preprocessing: CropsPreprocessing;
  readonly tower: VisionTransformer;
  /** float32[2, featureSize], added to patches that are all padding (first row) and in part (second row). */
  readonly paddingEmbedding?: Parameter;

  constructor(config: ResolvedMolmoConfig) {
    super();
    const { inputSize, patchSize, maxCrops, overlap, initializerRange } = config;
    const initializer = normal(initializerRange);
    this.preprocessing = {
      kind: 'crops',
      cropSize: inputSize,
      patchSize,
      maxCrops,
      overlap,
      ...clipPixels,
      ...config.normalisation,
    };
    this.tower = new VisionTransformer(config, {
      name: COMPONENT,
      preprocessing: this.preprocessing,
      initializers: sameEverywhere(initializer),
      classToken: initializer,
      patchBias: false,
      preNorm: true,
      postNorm: false,
    });
    this.featureSize = this.tower.featureSize;
    if (config.paddingEmbedding)
      this.paddingEmbedding = new Parameter([2, this.featureSize], { initializer });
  }

  /** @throws ShapeError for a view that is no crop. */
  layout(images: readonly PreparedImage[]): ImageTokens[] {
    return this.tower.layout(images);
  }

  /** Views that only fill up the batch have zeros, and what their coverage adds. */
  encode(batch: ImageBatch): ImageFeatures {
    const images = this.layout(batch.images);
    const views = images.flatMap((image) => image.views);
    const rows = views.reduce((sum, { count }) => sum + count, 0);
    const coverage = batch.kind === 'dense' ? batch.coverage : undefined;
    const parts = checkCoverage(coverage, rows, `encoder '${COMPONENT}'`);
    const features = tf.tidy(() => {
      const tokens = withoutFilling(this.tower.encode(batch).features, views);
      return parts && this.paddingEmbedding ? this.addPadding(tokens, parts) : tokens;
    });
    return { features, images };
  }

  /** As `VisionTransformer.hiddenStates`: the input of the first block, then every block's output, class token first. */
  hiddenStates(batch: ImageBatch): tf.Tensor3D[] {
    return this.tower.hiddenStates(batch);
  }

  /** Any part but 0 and 1 counts as padding in part, below zero too: the reference marks crops without a mask by −1. */
  private addPadding(tokens: tf.Tensor2D, coverage: Float32Array): tf.Tensor2D {
    const kinds = new Float32Array(2 * coverage.length);
    for (const [row, part] of coverage.entries()) {
      if (part < 1) kinds[2 * row + Number(part !== 0)] = 1;
    }
    const padding = tf.matMul(
      tf.tensor2d(kinds, [coverage.length, 2]),
      this.paddingEmbedding!.value as tf.Tensor2D,
    );
    return tf.add(tokens, padding);
  }
}

/** float32[rows, D] with zeros in the rows of views that are not valid. */
function withoutFilling(features: tf.Tensor2D, views: ImageTokens['views']): tf.Tensor2D {
  if (views.every(({ valid }) => valid !== false)) return features;
  const counts = tf.tensor3d(
    views.map(({ valid }) => Number(valid !== false)),
    [views.length, 1, 1],
  );
  const apart = tf.reshape(features, [views.length, -1, features.shape[1]]);
  return tf.reshape(tf.mul(apart, counts), features.shape);
}
