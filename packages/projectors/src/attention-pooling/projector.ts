import type { ImageFeatures, ImageTokens, ProjectorSizes } from '@mmllm/core';
import { type Activation, Attention, GatedMlp, gatedMlpSize } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { checkFeatures } from '../shared/features';
import { SizedProjector } from '../shared/sized-projector';
import { Windows } from '../shared/windows';

export interface AttentionPoolingOptions extends ProjectorSizes {
  readonly windowRows: number;
  readonly windowColumns: number;
  readonly numHeads: number;
  readonly numKeyValueHeads?: number;
  readonly headSize?: number;
  readonly poolingSize?: number;
  readonly hiddenSize?: number;
  readonly activation: Activation;
}

/** Windows of tokens pooled by the attention of their mean, then a gated MLP. */
export class AttentionPooling extends SizedProjector {
  readonly name = 'attention-pooling';
  readonly pooling: Attention;
  readonly mlp: GatedMlp;
  private readonly windows: Windows;

  /** @throws ConfigError if the heads do not divide. */
  constructor({ inputSize, outputSize, numHeads, activation, ...options }: AttentionPoolingOptions) {
    super({ inputSize, outputSize });
    const { numKeyValueHeads, headSize, poolingSize = inputSize } = options;
    this.windows = new Windows({
      projector: this.name,
      rows: options.windowRows,
      columns: options.windowColumns,
      remainder: 'pad',
    });
    const heads = { numHeads, numKeyValueHeads, headSize: headSize ?? poolingSize / numHeads };
    this.pooling = new Attention({ hiddenSize: inputSize, outputSize: poolingSize, ...heads });
    this.mlp = new GatedMlp({
      hiddenSize: poolingSize,
      intermediateSize: options.hiddenSize ?? gatedMlpSize(outputSize),
      outputSize,
      activation,
    });
  }

  /** @throws ShapeError for tokens without a grid. */
  layout(images: readonly ImageTokens[]): ImageTokens[] {
    return this.windows.layout(images);
  }

  /** @throws ShapeError as `layout`, and for features that do not fit. */
  project(given: ImageFeatures): ImageFeatures {
    checkFeatures(this, given);
    const images = this.layout(given.images);
    const features = tf.tidy(() => {
      const windows = this.windows.cut(given.features, given.images);
      const means = tf.mean<tf.Tensor3D>(windows, 1, true);
      const pooled = this.pooling.attend(means, this.pooling.keyValues(windows), { rule: { causal: false } });
      return this.mlp.forward(tf.reshape<tf.Rank.R2>(pooled, [pooled.shape[0], -1]));
    });
    return { features, images, mask: this.windows.mask(given.images, given.mask) };
  }
}
