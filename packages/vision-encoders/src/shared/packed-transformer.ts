import {
  type ImageBatch,
  type ImageEncoder,
  type ImageFeatures,
  type ImageTokens,
  type Initializer,
  Module,
  type PackedPreprocessing,
  type PreparedImage,
  ShapeError,
} from '@mmllm/core';
import { Linear, type Norm, type TransformerBlock } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { type AxialFrequencies, axialRotary } from './axial-rotary';
import { statesAt } from './hidden-states';
import { layoutViews } from './layout';

/** What a family fixes. */
export interface PackedFamily {
  readonly name: string;
  readonly hiddenSize: number;
  readonly preprocessing: PackedPreprocessing;
  /** Layers whose outputs are the features, from 0, the input of the first; several are joined along the channels. */
  readonly layers: readonly number[];
  /** Longest side in patches that positions are made for. */
  readonly maxSide?: number;
  readonly frequencies: AxialFrequencies;
  readonly initializer: Initializer;
  /** Between the patches and the first block. */
  readonly preNorm?: Norm;
  readonly blocks: readonly TransformerBlock[];
}

/**
 * A vision transformer over pictures of any size, packed one after the other without padding: positions turn queries and
 * keys by row and column, and tokens see those of their own view alone (NaViT's packing, Dehghani et al. 2023,
 * arXiv:2307.06304).
 */
export class PackedTransformer extends Module implements ImageEncoder {
  readonly specVersion = 'image-encoder/v1';
  readonly name: string;
  readonly featureSize: number;
  readonly preprocessing: PackedPreprocessing;
  /** float32[frames · patchSize · patchSize · 3, hiddenSize], without bias. */
  readonly patchEmbedding: Linear;
  readonly preNorm?: Norm;
  readonly layers: readonly TransformerBlock[];
  readonly #family: PackedFamily;

  constructor(family: PackedFamily) {
    super();
    const { hiddenSize, preprocessing, initializer } = family;
    const { patchSize, framesPerPatch = 1 } = preprocessing;
    this.#family = family;
    this.name = family.name;
    this.featureSize = hiddenSize * family.layers.length;
    this.preprocessing = preprocessing;
    const patchLength = framesPerPatch * patchSize * patchSize * 3;
    this.patchEmbedding = new Linear(patchLength, hiddenSize, { bias: false, initializer });
    this.preNorm = family.preNorm;
    this.layers = family.blocks;
  }

  /** @throws ShapeError for a view whose sides are no multiples of the preprocessing's, or longer than positions reach. */
  layout(images: readonly PreparedImage[]): ImageTokens[] {
    const { patchSize, multiple } = this.preprocessing;
    const { maxSide = Number.POSITIVE_INFINITY } = this.#family;
    return layoutViews(images, ({ height, width }) => {
      const grid = { rows: height / patchSize, columns: width / patchSize, prefix: 0 };
      const whole = height > 0 && width > 0 && height % multiple === 0 && width % multiple === 0;
      if (whole && Math.max(grid.rows, grid.columns) <= maxSide) return grid;
      throw new ShapeError({
        component: `encoder '${this.name}'`,
        expected: `views with sides of ${multiple} pixels or multiples${
          Number.isFinite(maxSide) ? `, up to ${maxSide * patchSize}` : ''
        }`,
        actual: `${height}×${width}`,
      });
    });
  }

  encode(batch: ImageBatch): ImageFeatures {
    const images = this.layout(batch.images);
    const patches = this.#patches(batch, images);
    const features = tf.tidy(() => {
      const taps = this.#states(patches, images, this.#family.layers);
      return tf.reshape<tf.Rank.R2>(taps.length > 1 ? tf.concat(taps, 2) : taps[0], [-1, this.featureSize]);
    });
    return { features, images };
  }

  /**
   * numLayers + 1 states float32[1, tokens, hiddenSize]: the input of the first block, then every block's output. The
   * caller owns them.
   */
  hiddenStates(batch: ImageBatch): tf.Tensor3D[] {
    const images = this.layout(batch.images);
    const patches = this.#patches(batch, images);
    const depths = Array.from({ length: this.layers.length + 1 }, (_, depth) => depth);
    return tf.tidy(() => this.#states(patches, images, depths));
  }

  #states(patches: tf.Tensor2D, images: readonly ImageTokens[], depths: readonly number[]): tf.Tensor3D[] {
    const views = images.flatMap((image) => image.views);
    const rotary = axialRotary(views, this.#family.frequencies);
    const blocks = Int32Array.from(views.flatMap(({ count }, view) => new Array<number>(count).fill(view)));
    // A single view needs no rule of who sees whom.
    const apart = views.length > 1 ? { queryBlocks: blocks, keyBlocks: blocks } : {};
    const rule = { causal: false, ...apart };
    const first = tf.tidy(() => {
      const x = tf.expandDims<tf.Tensor3D>(this.patchEmbedding.forward(patches), 0);
      return this.preNorm ? this.preNorm.forward(x) : x;
    });
    return statesAt(depths, first, (x, i) => this.layers[i].forward(x, { rule, rotary }));
  }

  #patches(batch: ImageBatch, images: readonly ImageTokens[]): tf.Tensor2D {
    const rows = images.flatMap(({ views }) => views).reduce((sum, { count }) => sum + count, 0);
    const length = this.patchEmbedding.inputSize;
    const shape = batch.kind === 'packed' ? batch.patches.shape : batch.pixels.shape;
    if (batch.kind === 'packed' && shape[0] === rows && shape[1] === length) return batch.patches;
    throw new ShapeError({
      component: `encoder '${this.name}'`,
      expected: `packed patches float32[${rows}, ${length}]`,
      actual: `${batch.kind} [${shape.join(', ')}]`,
    });
  }
}
