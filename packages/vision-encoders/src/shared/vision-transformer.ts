import {
  type ImageBatch,
  type ImageFeatures,
  type ImagePreprocessing,
  type ImageTokens,
  type ImageView,
  type Initializer,
  Module,
  Parameter,
  type PreparedImage,
  ShapeError,
} from '@mmllm/core';
import { LayerNorm, type TransformerBlock } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { forwardFirst } from './class-token';
import type { ResolvedVisionConfig } from './config';
import { type BlockInitializers, encoderBlock } from './encoder-block';
import { statesAt } from './hidden-states';
import { densePixels, layoutViews } from './layout';
import { PatchEmbedding } from './patch-embedding';
import type { PooledImageEncoder } from './pooled-encoder';
import { type Grid, interpolatePositions } from './position-table';

/** One vector from tokens: float32[B, N, D] to float32[B, D]. N is 1 in a tower with a class token. */
export interface PoolingHead extends Module {
  forward(tokens: tf.Tensor3D): tf.Tensor2D;
}

export interface VisionInitializers extends BlockInitializers {
  readonly patchEmbedding: Initializer;
  readonly positionEmbedding: Initializer;
}

/** What a family fixes. */
export interface VisionFamily {
  readonly name: string;
  readonly preprocessing: ImagePreprocessing;
  readonly initializers: VisionInitializers;
  /** First values of the class token; absent in a tower without one. */
  readonly classToken?: Initializer;
  readonly patchBias: boolean;
  /** A norm between the embeddings and the first block. */
  readonly preNorm: boolean;
  /** A norm after the last block. Default true. */
  readonly postNorm?: boolean;
  /** Default: the block that ViT, CLIP and SigLIP share. */
  readonly block?: () => TransformerBlock;
  /** Default: the class token as it is, or the mean of all tokens. */
  readonly head?: PoolingHead;
}

type Config = ResolvedVisionConfig & { features: { classToken?: 'drop' | 'keep' } };

/**
 * Vision transformer with norms before attention and MLP (Dosovitskiy et al. 2020, arXiv:2010.11929), in the layouts
 * of ViT, CLIP, SigLIP and InternViT.
 */
export class VisionTransformer extends Module implements PooledImageEncoder {
  readonly specVersion = 'image-encoder/v1';
  readonly name: string;
  readonly featureSize: number;
  readonly pooledSize: number;
  readonly preprocessing: ImagePreprocessing;
  readonly patchEmbedding: PatchEmbedding;
  readonly classToken?: Parameter;
  /** float32[tokens, hiddenSize]; the class token's row is the first. */
  readonly positionEmbedding: Parameter;
  readonly preNorm?: LayerNorm;
  readonly layers: readonly TransformerBlock[];
  readonly postNorm?: LayerNorm;
  readonly head?: PoolingHead;
  private readonly config: Config;

  constructor(config: Config, family: VisionFamily) {
    super();
    const { patchSize, hiddenSize, layerNormEps, features } = config;
    const { initializers, classToken } = family;
    this.config = config;
    this.name = family.name;
    this.preprocessing = family.preprocessing;
    this.featureSize = hiddenSize * features.layers.length;
    this.pooledSize = hiddenSize;
    this.patchEmbedding = new PatchEmbedding({
      patchSize,
      hiddenSize,
      bias: family.patchBias,
      initializer: initializers.patchEmbedding,
    });
    if (classToken) this.classToken = new Parameter([hiddenSize], { initializer: classToken });
    const { rows, columns } = this.trainedGrid;
    this.positionEmbedding = new Parameter([this.prefix + rows * columns, hiddenSize], {
      initializer: initializers.positionEmbedding,
    });
    if (family.preNorm) this.preNorm = new LayerNorm(hiddenSize, layerNormEps);
    const block = family.block ?? (() => encoderBlock(config, initializers));
    this.layers = Array.from({ length: config.numLayers }, block);
    if (family.postNorm !== false) this.postNorm = new LayerNorm(hiddenSize, layerNormEps);
    this.head = family.head;
  }

  /** @throws ShapeError for a view of another size than `inputSize`. */
  layout(images: readonly PreparedImage[]): ImageTokens[] {
    const prefix = this.config.features.classToken === 'keep' ? this.prefix : 0;
    return layoutViews(images, (view) => {
      this.checkView(view);
      return { ...this.grid, prefix };
    });
  }

  encode(batch: ImageBatch): ImageFeatures {
    const images = this.layout(batch.images);
    const pixels = this.pixels(batch);
    const { layers } = this.config.features;
    const features = tf.tidy(() => {
      const taps = this.states(pixels, layers).map((state) => this.feature(state));
      const joined = taps.length > 1 ? tf.concat(taps, 2) : taps[0];
      return tf.reshape<tf.Rank.R2>(joined, [-1, this.featureSize]);
    });
    return { features, images };
  }

  /**
   * float32[views, hiddenSize], after the last norm: the class token, or all tokens of a tower without one, through
   * the pooling head. Without a head: the class token itself, or the mean of all tokens.
   */
  pooled(batch: ImageBatch): tf.Tensor2D {
    const pixels = this.pixels(batch);
    const { numLayers } = this.config;
    return tf.tidy(() => {
      const [x] = this.states(pixels, [this.classToken ? numLayers - 1 : numLayers]);
      const tokens = this.normed(this.classToken ? forwardFirst(this.layers[numLayers - 1], x) : x);
      return this.head ? this.head.forward(tokens) : (tf.mean(tokens, 1) as tf.Tensor2D);
    });
  }

  /**
   * numLayers + 1 states float32[views, tokens, hiddenSize]: the input of the first block, then every block's output,
   * before the last norm. The caller owns them.
   */
  hiddenStates(batch: ImageBatch): tf.Tensor3D[] {
    const pixels = this.pixels(batch);
    const depths = Array.from({ length: this.layers.length + 1 }, (_, depth) => depth);
    return tf.tidy(() => this.states(pixels, depths));
  }

  private get prefix(): number {
    return this.classToken ? 1 : 0;
  }

  /** Patches of a prepared picture. */
  private get grid(): Grid {
    const { inputSize, patchSize } = this.config;
    return {
      rows: Math.floor(inputSize.height / patchSize),
      columns: Math.floor(inputSize.width / patchSize),
    };
  }

  /** Patches that the table of positions is made for. */
  private get trainedGrid(): Grid {
    const side = Math.floor(this.config.imageSize / this.config.patchSize);
    return { rows: side, columns: side };
  }

  private pixels(batch: ImageBatch): tf.Tensor4D {
    return densePixels(batch, this.config.inputSize, `encoder '${this.name}'`);
  }

  private checkView({ height, width }: ImageView): void {
    const { inputSize } = this.config;
    if (height === inputSize.height && width === inputSize.width) return;
    throw new ShapeError({
      component: `encoder '${this.name}'`,
      expected: `views of ${inputSize.height}×${inputSize.width} pixels`,
      actual: `${height}×${width}`,
    });
  }

  private states(pixels: tf.Tensor4D, depths: readonly number[]): tf.Tensor3D[] {
    const first = tf.tidy(() => this.embed(pixels));
    return statesAt(depths, first, (x, i) => this.layers[i].forward(x, { rule: { causal: false } }));
  }

  private embed(pixels: tf.Tensor4D): tf.Tensor3D {
    const patches = this.patchEmbedding.forward(pixels);
    // The class token stands in a row of zeros, so that it needs no copy for each picture.
    const tokens = this.classToken
      ? tf.pad3d(patches, [
          [0, 0],
          [1, 0],
          [0, 0],
        ])
      : patches;
    const x: tf.Tensor3D = tf.add(tokens, this.startValues());
    return this.preNorm ? this.preNorm.forward(x) : x;
  }

  /** Positions of the input's grid, with the class token added to the first row: float32[tokens, hiddenSize]. */
  private startValues(): tf.Tensor {
    const { grid, trainedGrid, prefix } = this;
    const table = this.positionEmbedding.value as tf.Tensor2D;
    const fits = grid.rows === trainedGrid.rows && grid.columns === trainedGrid.columns;
    const positions = fits ? table : interpolatePositions(table, trainedGrid, grid, prefix);
    if (!this.classToken) return positions;
    const row = tf.reshape<tf.Rank.R2>(this.classToken.value, [1, -1]);
    return tf.add(
      positions,
      tf.pad2d(row, [
        [0, positions.shape[0] - 1],
        [0, 0],
      ]),
    );
  }

  /** A hidden state as features: without the class token unless it is kept, normalised if asked for. */
  private feature(state: tf.Tensor3D): tf.Tensor3D {
    const { norm, classToken } = this.config.features;
    const drop = this.classToken && classToken !== 'keep';
    const tokens = drop ? tf.slice3d(state, [0, 1, 0], [-1, -1, -1]) : state;
    return norm ? this.normed(tokens) : tokens;
  }

  private normed(x: tf.Tensor3D): tf.Tensor3D {
    return this.postNorm ? this.postNorm.forward(x) : x;
  }
}
