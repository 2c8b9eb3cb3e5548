import type { ImageFeatures, ImageTokens, ProjectorSizes } from '@mmllm/core';
import { type Activation, LayerNorm, type Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { checkFeatures } from '../shared/features';
import { linearLayers, runLayers } from '../shared/linear-layers';
import { SizedProjector } from '../shared/sized-projector';
import { Windows } from '../shared/windows';

export interface PatchMergerOptions extends ProjectorSizes {
  readonly mergeSize: number;
  readonly layerNormEps: number;
  readonly activation: Activation;
}

/** A norm of every token, then squares of them side by side, and two linear layers. */
export class PatchMerger extends SizedProjector {
  readonly name = 'patch-merger';
  readonly norm: LayerNorm;
  readonly layers: readonly Linear[];
  private readonly activation: Activation;
  private readonly windows: Windows;

  constructor({ inputSize, outputSize, mergeSize, layerNormEps, activation }: PatchMergerOptions) {
    super({ inputSize, outputSize });
    this.activation = activation;
    this.windows = new Windows({
      projector: this.name,
      rows: mergeSize,
      columns: mergeSize,
      remainder: 'refuse',
    });
    this.norm = new LayerNorm(inputSize, layerNormEps);
    const width = inputSize * this.windows.size;
    this.layers = linearLayers({ inputSize: width, hiddenSize: width, outputSize, numLayers: 2, bias: true });
  }

  /** @throws ShapeError for a side of the grid that `mergeSize` does not divide, or tokens without a grid. */
  layout(images: readonly ImageTokens[]): ImageTokens[] {
    return this.windows.layout(images);
  }

  /** @throws ShapeError as `layout`, and for features that do not fit. */
  project(given: ImageFeatures): ImageFeatures {
    checkFeatures(this, given);
    const images = this.layout(given.images);
    const features = tf.tidy(() => {
      const windows = this.windows.cut(this.norm.forward(given.features), given.images);
      const joined = tf.reshape<tf.Rank.R2>(windows, [windows.shape[0], -1]);
      return runLayers(this.layers, this.activation, joined);
    });
    return { features, images, mask: this.windows.mask(given.images, given.mask) };
  }
}
