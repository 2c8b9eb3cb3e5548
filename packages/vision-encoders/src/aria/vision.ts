import {
  type ImageBatch,
  type ImageEncoder,
  type ImageFeatures,
  type ImageTokens,
  Module,
  normal,
  type PaddedPreprocessing,
  Parameter,
  type PreparedImage,
} from '@mmllm/core';
import { embedding, LayerNorm, type TransformerBlock } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { checkCoverage } from '../shared/coverage';
import { encoderBlock } from '../shared/encoder-block';
import { statesAt } from '../shared/hidden-states';
import { layoutViews, pixelsOfOneSize } from '../shared/layout';
import { PatchEmbedding } from '../shared/patch-embedding';
import type { Grid } from '../shared/position-table';
import { unitRange } from '../shared/preprocessing';
import type { ResolvedAriaConfig } from './config';
import { placesInTable } from './positions';

/** A batch as the tower sees it. */
interface Pictures {
  readonly pixels: tf.Tensor4D;
  /** Place of each patch in the table of positions, patches of all views in order. */
  readonly places: Int32Array;
  /** 1 for patches that are picture, 0 for padding; undefined where all are picture. */
  readonly covered?: Uint8Array;
}

/** SigLIP's tower for pictures of any size and aspect: padding is seen by no patch and has 0 in the mask. */
export class AriaVision extends Module implements ImageEncoder {
  readonly specVersion = 'image-encoder/v1';
  readonly name = 'aria';
  readonly featureSize: number;
  readonly preprocessing: PaddedPreprocessing;
  readonly patchEmbedding: PatchEmbedding;
  /** float32[places, hiddenSize], of a square row by row. */
  readonly positionEmbedding: Parameter;
  readonly layers: readonly TransformerBlock[];
  readonly postNorm?: LayerNorm;
  private readonly config: ResolvedAriaConfig;

  constructor(config: ResolvedAriaConfig) {
    super();
    const { patchSize, hiddenSize, layerNormEps, features, inputSize, minShortEdge } = config;
    const initializer = normal(config.initializerRange);
    this.config = config;
    this.featureSize = hiddenSize * features.layers.length;
    this.preprocessing = {
      kind: 'padded',
      patchSize,
      longestEdge: inputSize.height,
      minShortEdge,
      resample: 'bicubic',
      ...unitRange,
      ...config.normalisation,
    };
    this.patchEmbedding = new PatchEmbedding({ patchSize, hiddenSize, bias: true, initializer });
    this.positionEmbedding = new Parameter([this.side ** 2, hiddenSize], { initializer });
    const init = { attention: initializer, mlp: initializer };
    this.layers = Array.from({ length: config.numLayers }, () => encoderBlock(config, init));
    if (config.postNorm) this.postNorm = new LayerNorm(hiddenSize, layerNormEps);
  }

  layout(images: readonly PreparedImage[]): ImageTokens[] {
    return layoutViews(images, (view) => ({ ...this.gridOf(view), prefix: 0 }));
  }

  encode(batch: ImageBatch): ImageFeatures {
    const pictures = this.pictures(batch);
    const images = this.layout(batch.images);
    const { layers } = this.config.features;
    const features = tf.tidy(() => {
      const taps = this.states(pictures, layers).map((state) => this.feature(state));
      const joined = taps.length > 1 ? tf.concat(taps, 2) : taps[0];
      return tf.reshape<tf.Rank.R2>(joined, [-1, this.featureSize]);
    });
    return { features, images, mask: pictures.covered };
  }

  /**
   * numLayers + 1 states float32[views, tokens, hiddenSize]: the input of the first block, then every block's output,
   * before the last norm. The caller owns them.
   */
  hiddenStates(batch: ImageBatch): tf.Tensor3D[] {
    const pictures = this.pictures(batch);
    const depths = Array.from({ length: this.layers.length + 1 }, (_, depth) => depth);
    return tf.tidy(() => this.states(pictures, depths));
  }

  /** Rows and columns of the table of positions. */
  private get side(): number {
    return Math.floor(this.config.imageSize / this.config.patchSize);
  }

  private gridOf({ height, width }: { height: number; width: number }): Grid {
    const { patchSize } = this.config;
    return { rows: Math.floor(height / patchSize), columns: Math.floor(width / patchSize) };
  }

  /** @throws ShapeError for views of several sizes, or a coverage that does not fit. */
  private pictures(batch: ImageBatch): Pictures {
    const component = "encoder 'aria'";
    const { pixels, coverage } = pixelsOfOneSize(batch, component);
    const [views, height, width] = pixels.shape;
    const grid = this.gridOf({ height, width });
    const patches = grid.rows * grid.columns;
    const parts = checkCoverage(coverage, views * patches, component);
    const places = new Int32Array(views * patches);
    for (let view = 0; view < views; view++) {
      const isPicture = (patch: number) => !parts || parts[view * patches + patch] > 0;
      places.set(placesInTable(isPicture, grid, this.side), view * patches);
    }
    return { pixels, places, covered: parts && Uint8Array.from(parts, (part) => Number(part > 0)) };
  }

  private states({ pixels, places, covered }: Pictures, depths: readonly number[]): tf.Tensor3D[] {
    const first = tf.tidy(() => {
      const patches = this.patchEmbedding.forward(pixels);
      const [views, tokens] = patches.shape;
      return tf.add<tf.Tensor3D>(patches, embedding(this.positionEmbedding.value, places, [views, tokens]));
    });
    // Every patch sees the picture, and none sees padding.
    const blocks = covered && {
      queryBlocks: new Int32Array(places.length).fill(1),
      keyBlocks: Int32Array.from(covered),
    };
    const rule = { causal: false, ...blocks };
    return statesAt(depths, first, (x, i) => this.layers[i].forward(x, { rule }));
  }

  private feature(state: tf.Tensor3D): tf.Tensor3D {
    return this.config.features.norm && this.postNorm ? this.postNorm.forward(state) : state;
  }
}
