import {
  type ImageFeatures,
  type ImageTokens,
  normal,
  Parameter,
  type ProjectorSizes,
  ShapeError,
  type TokenGrid,
  type ViewTokens,
} from '@mmllm/core';
import { adaptiveAveragePool, LayerNorm, type Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { called, checkFeatures, gridOf, numTokens } from '../shared/features';
import { relayout } from '../shared/layout';
import { linearLayers, runLayers } from '../shared/linear-layers';
import { overViews, repeated } from '../shared/runs';
import { SizedProjector } from '../shared/sized-projector';
import { Bottleneck } from './bottleneck';

export interface CAbstractorOptions extends ProjectorSizes {
  readonly hiddenSize: number;
  readonly queriesPerSide: number;
  readonly depth: number;
  readonly mlpDepth: number;
  readonly numInputTokens?: number;
  readonly prenorm: boolean;
  readonly numEosTokens: number;
}

/** Convolutions on the grid, adaptive pooling to a smaller one, convolutions on that, and an MLP. */
export class CAbstractor extends SizedProjector {
  readonly name = 'c-abstractor';
  readonly prenorm?: LayerNorm;
  /** float32[numInputTokens, inputSize] */
  readonly positionEmbedding?: Parameter;
  readonly before: readonly Bottleneck[];
  readonly after: readonly Bottleneck[];
  readonly readout: readonly Linear[];
  /** float32[numEosTokens, outputSize], behind the tokens of each view. */
  readonly eosTokens?: Parameter;
  private readonly side: number;
  private readonly numEosTokens: number;

  constructor({ inputSize, outputSize, hiddenSize, depth, ...options }: CAbstractorOptions) {
    super({ inputSize, outputSize });
    this.side = options.queriesPerSide;
    this.numEosTokens = options.numEosTokens;
    const initializer = normal(0.02);
    if (options.prenorm) this.prenorm = new LayerNorm(inputSize);
    if (options.numInputTokens !== undefined) {
      this.positionEmbedding = new Parameter([options.numInputTokens, inputSize], { initializer });
    }
    this.before = stage(depth, inputSize, hiddenSize);
    this.after = stage(depth, hiddenSize, hiddenSize);
    this.readout = linearLayers({
      inputSize: depth === 0 ? inputSize : hiddenSize,
      outputSize,
      numLayers: options.mlpDepth,
      bias: true,
    });
    if (this.numEosTokens > 0) {
      this.eosTokens = new Parameter([this.numEosTokens, outputSize], { initializer });
    }
  }

  /**
   * Tokens behind the grid are in no grid, so with some the views have none.
   * @throws ShapeError for tokens without a grid, or another number than there are positions for.
   */
  layout(images: readonly ImageTokens[]): ImageTokens[] {
    return relayout(images, (view) => {
      const { frames } = this.gridOf(view);
      const grid = { frames, rows: this.side, columns: this.side };
      const count = numTokens(grid) + this.numEosTokens;
      return { count, grid: this.eosTokens ? undefined : grid };
    });
  }

  /**
   * Masked rows take part, for convolutions know no mask; all tokens of the result count.
   * @throws ShapeError as `layout`, and for features that do not fit.
   */
  project(given: ImageFeatures): ImageFeatures {
    checkFeatures(this, given);
    const images = this.layout(given.images);
    const features = overViews(given.features, given.images, (tokens, [view]) => this.abstract(tokens, view));
    return { features, images };
  }

  /** float32[views, tokens, inputSize] to float32[views, tokens', outputSize]. */
  private abstract(tokens: tf.Tensor3D, view: ViewTokens): tf.Tensor3D {
    const [views] = tokens.shape;
    const grid = this.gridOf(view);
    const normed = this.prenorm?.forward(tokens) ?? tokens;
    const placed = this.positionEmbedding ? tf.add(normed, this.positionEmbedding.value) : normed;
    const inGrid = view.prefix > 0 ? tf.slice(placed, [0, view.prefix, 0], [-1, -1, -1]) : placed;
    const frames = tf.reshape(inGrid, [-1, grid.rows * grid.columns, this.inputSize]);
    const read = runLayers(this.readout, 'silu', this.convolve(frames as tf.Tensor3D, grid));
    const result = tf.reshape<tf.Rank.R3>(read, [views, -1, this.outputSize]);
    if (!this.eosTokens) return result;
    return tf.concat3d([result, repeated(this.eosTokens.value as tf.Tensor2D, views)], 1);
  }

  private convolve(tokens: tf.Tensor3D, grid: TokenGrid): tf.Tensor3D {
    const small = { rows: this.side, columns: this.side };
    const before = this.before.reduce((x, block) => block.forward(x, grid), tokens);
    const pooled = adaptiveAveragePool(before, grid, small);
    return this.after.reduce((x, block) => block.forward(x, small), pooled);
  }

  private gridOf(view: ViewTokens): TokenGrid {
    const grid = gridOf(this.name, view);
    const positions = this.positionEmbedding?.shape[0];
    if (positions === undefined || positions === view.count) return grid;
    throw new ShapeError({
      component: called(this.name),
      expected: `views of ${positions} tokens, as many as there are positions`,
      actual: `one of ${view.count}`,
    });
  }
}

const stage = (depth: number, inputSize: number, hiddenSize: number): Bottleneck[] =>
  Array.from({ length: depth }, (_, i) => new Bottleneck(i === 0 ? inputSize : hiddenSize, hiddenSize));
