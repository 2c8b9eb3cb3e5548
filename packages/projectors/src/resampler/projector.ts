import {
  type ImageFeatures,
  type ImageTokens,
  normal,
  Parameter,
  type ProjectorSizes,
  ShapeError,
  type ViewTokens,
} from '@mmllm/core';
import { type Activation, LayerNorm, type Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { called, checkFeatures } from '../shared/features';
import { relayout } from '../shared/layout';
import { linearLayers, runLayers } from '../shared/linear-layers';
import { overViews } from '../shared/runs';
import { SizedProjector } from '../shared/sized-projector';
import { CrossAttention } from './cross-attention';

export interface ResamplerOptions extends ProjectorSizes {
  readonly numHeads: number;
  /** Number of queries for each number of tokens. */
  readonly queries: Readonly<Record<string, number>>;
  readonly hiddenSize?: number;
  readonly activation: Activation;
  readonly layerNormEps: number;
}

/** Learned queries, as many as the number of tokens asks for, that attend to the tokens of a view. */
export class Resampler extends SizedProjector {
  readonly name = 'resampler';
  /** float32[most queries, inputSize], of which a view takes the first ones. */
  readonly query: Parameter;
  readonly crossAttention: CrossAttention;
  readonly norm: LayerNorm;
  readonly layers: readonly Linear[];
  private readonly queries: ReadonlyMap<number, number>;
  private readonly activation: Activation;

  /** @throws ConfigError if the heads do not divide the width. */
  constructor({ inputSize, outputSize, numHeads, queries, ...options }: ResamplerOptions) {
    super({ inputSize, outputSize });
    this.activation = options.activation;
    this.queries = new Map(Object.entries(queries).map(([tokens, count]) => [Number(tokens), count]));
    const most = Math.max(...this.queries.values());
    this.query = new Parameter([most, inputSize], { initializer: normal(0.02) });
    this.crossAttention = new CrossAttention(inputSize, numHeads, options.layerNormEps);
    this.norm = new LayerNorm(inputSize, options.layerNormEps);
    this.layers = linearLayers({
      inputSize,
      outputSize,
      hiddenSize: options.hiddenSize,
      numLayers: 2,
      bias: false,
    });
  }

  /** @throws ShapeError for a number of tokens that no number of queries is known for. */
  layout(images: readonly ImageTokens[]): ImageTokens[] {
    return relayout(images, (view) => ({ count: this.queriesFor(view), grid: undefined }));
  }

  /**
   * Rows that the mask leaves out are seen by no query; all tokens of the result count.
   * @throws ShapeError as `layout`, and for features that do not fit.
   */
  project({ features, images, mask }: ImageFeatures): ImageFeatures {
    checkFeatures(this, { features, images, mask });
    const layout = this.layout(images);
    const projected = tf.tidy(() => {
      const attended = overViews(features, images, (tokens, views) => {
        const [{ start, count }] = views;
        const query = tf.slice(this.query.value, [0, 0], [this.queriesFor(views[0]), -1]) as tf.Tensor2D;
        const seen = mask?.subarray(start, start + views.length * count);
        return this.crossAttention.forward(query, tokens, seen);
      });
      return runLayers(this.layers, this.activation, this.norm.forward(attended));
    });
    return { features: projected, images: layout };
  }

  private queriesFor({ count }: ViewTokens): number {
    const queries = this.queries.get(count);
    if (queries !== undefined) return queries;
    throw new ShapeError({
      component: called(this.name),
      expected: `views of ${[...this.queries.keys()].join(' or ')} tokens`,
      actual: `one of ${count}`,
    });
  }
}
