import type { ImageFeatures, ImageTokens, ProjectorSizes } from '@mmllm/core';
import type { Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { checkFeatures } from '../shared/features';
import { widthChange } from '../shared/linear-layers';
import { SizedProjector } from '../shared/sized-projector';
import { Windows } from '../shared/windows';

export interface AveragePoolingOptions extends ProjectorSizes {
  readonly poolSize: number;
}

/** The means of squares of tokens. */
export class AveragePooling extends SizedProjector {
  readonly name = 'average-pooling';
  /** Absent where encoder and decoder have one width. */
  readonly proj?: Linear;
  private readonly windows: Windows;

  constructor({ inputSize, outputSize, poolSize }: AveragePoolingOptions) {
    super({ inputSize, outputSize });
    this.windows = new Windows({
      projector: this.name,
      rows: poolSize,
      columns: poolSize,
      remainder: 'drop',
    });
    this.proj = widthChange(inputSize, outputSize);
  }

  /** @throws ShapeError for a grid smaller than a square, or tokens without a grid. */
  layout(images: readonly ImageTokens[]): ImageTokens[] {
    return this.windows.layout(images);
  }

  /** @throws ShapeError as `layout`, and for features that do not fit. */
  project(given: ImageFeatures): ImageFeatures {
    checkFeatures(this, given);
    const images = this.layout(given.images);
    const features = tf.tidy(() => {
      const means = tf.mean<tf.Tensor2D>(this.windows.cut(given.features, given.images), 1);
      return this.proj?.forward(means) ?? means;
    });
    return { features, images, mask: this.windows.mask(given.images, given.mask) };
  }
}
