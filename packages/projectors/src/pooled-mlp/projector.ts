import { type ImageFeatures, type ImageTokens, normal, Parameter, type ProjectorSizes } from '@mmllm/core';
import type { Activation, Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { checkFeatures } from '../shared/features';
import { firstLinear, linearLayers, runLayers } from '../shared/linear-layers';
import { SizedProjector } from '../shared/sized-projector';
import { Windows } from '../shared/windows';
import { addNewlines, layoutNewlines, maskNewlines } from './newlines';

export interface PooledMlpOptions extends ProjectorSizes {
  readonly poolSize: number;
  readonly pooling: 'conv' | 'mean';
  readonly newline: 'row' | 'none';
  readonly activation: Activation;
}

/** Squares of tokens pooled by a convolution or their mean, two linear layers, and a token after each row. */
export class PooledMlp extends SizedProjector {
  readonly name = 'pooled-mlp';
  /** A convolution whose stride is its kernel: a linear layer on the tokens of a square side by side. */
  readonly conv?: Linear;
  readonly layers: readonly Linear[];
  /** float32[outputSize] */
  readonly newline?: Parameter;
  private readonly activation: Activation;
  private readonly windows: Windows;

  constructor({ inputSize, outputSize, poolSize, pooling, newline, activation }: PooledMlpOptions) {
    super({ inputSize, outputSize });
    this.activation = activation;
    this.windows = new Windows({
      projector: this.name,
      rows: poolSize,
      columns: poolSize,
      remainder: 'drop',
    });
    if (pooling === 'conv') this.conv = firstLinear(this.windows.size * inputSize, inputSize, true);
    this.layers = linearLayers({ inputSize, outputSize, numLayers: 2, bias: true });
    if (newline === 'row') {
      this.newline = new Parameter([outputSize], { initializer: normal(1 / Math.sqrt(outputSize)) });
    }
  }

  /** @throws ShapeError for a grid smaller than a square, or tokens without a grid. */
  layout(images: readonly ImageTokens[]): ImageTokens[] {
    const pooled = this.windows.layout(images);
    return this.newline ? layoutNewlines(pooled) : pooled;
  }

  /** @throws ShapeError as `layout`, and for features that do not fit. */
  project(given: ImageFeatures): ImageFeatures {
    checkFeatures(this, given);
    const pooled = this.windows.layout(given.images);
    const mask = this.windows.mask(given.images, given.mask);
    const features = tf.tidy(() => {
      const tokens = runLayers(this.layers, this.activation, this.pool(given));
      return this.newline ? addNewlines(tokens, this.newline.value, pooled) : tokens;
    });
    if (!this.newline) return { features, images: pooled, mask };
    return { features, images: layoutNewlines(pooled), mask: maskNewlines(mask, pooled) };
  }

  private pool({ features, images }: ImageFeatures): tf.Tensor2D {
    const windows = this.windows.cut(features, images);
    if (!this.conv) return tf.mean(windows, 1);
    return this.conv.forward(tf.reshape<tf.Rank.R2>(windows, [windows.shape[0], -1]));
  }
}
