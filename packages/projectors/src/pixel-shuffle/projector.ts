import type { ImageFeatures, ImageTokens, ProjectorSizes } from '@mmllm/core';
import { type Activation, LayerNorm, type Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { checkFeatures } from '../shared/features';
import { linearLayers, runLayers } from '../shared/linear-layers';
import { SizedProjector } from '../shared/sized-projector';
import { Windows } from '../shared/windows';

export interface PixelShuffleOptions extends ProjectorSizes {
  readonly factor: number;
  readonly norm: boolean;
  readonly layerNormEps: number;
  readonly numLayers: number;
  readonly hiddenSize?: number;
  readonly activation: Activation;
  readonly bias: boolean;
}

/** Squares of tokens side by side in the channels, a norm, and linear layers. */
export class PixelShuffleMlp extends SizedProjector {
  readonly name = 'pixel-shuffle-mlp';
  readonly norm?: LayerNorm;
  readonly layers: readonly Linear[];
  private readonly activation: Activation;
  private readonly windows: Windows;

  constructor({ factor, norm, layerNormEps, activation, ...options }: PixelShuffleOptions) {
    super(options);
    const width = factor * factor * options.inputSize;
    this.activation = activation;
    this.windows = new Windows({ projector: this.name, rows: factor, columns: factor, remainder: 'refuse' });
    if (norm) this.norm = new LayerNorm(width, layerNormEps);
    this.layers = linearLayers({ ...options, inputSize: width });
  }

  /** @throws ShapeError for a side of the grid that the factor does not divide, or tokens without a grid. */
  layout(images: readonly ImageTokens[]): ImageTokens[] {
    return this.windows.layout(images);
  }

  /** @throws ShapeError as `layout`, and for features that do not fit. */
  project(given: ImageFeatures): ImageFeatures {
    checkFeatures(this, given);
    const images = this.layout(given.images);
    const features = tf.tidy(() => {
      const windows = this.windows.cut(given.features, given.images);
      const joined = tf.reshape<tf.Rank.R2>(windows, [windows.shape[0], -1]);
      return runLayers(this.layers, this.activation, this.norm?.forward(joined) ?? joined);
    });
    return { features, images, mask: this.windows.mask(given.images, given.mask) };
  }
}
