import {
  ContextLengthError,
  type Initializer,
  layersSchema,
  Module,
  Parameter,
  type TokenIds,
} from '@mmllm/core';
import {
  type Activation,
  Embedding,
  LayerNorm,
  type Linear,
  selectRows,
  type TransformerBlock,
} from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import { activation, positiveInteger, positiveNumber } from './config';
import { type BlockInitializers, encoderBlock } from './encoder-block';

/** What every text tower of this package takes. */
export interface TextConfig {
  vocabSize: number;
  /** Longest text in tokens. */
  maxLength: number;
  hiddenSize: number;
  numLayers: number;
  numHeads: number;
  /** Default 4 · hiddenSize. */
  intermediateSize?: number;
  activation?: Activation;
  layerNormEps?: number;
}

/** The keys of `TextConfig`, for a strict object to which a family adds its own. */
export const textKeys = (defaults: { activation: Activation; layerNormEps: number }) => ({
  vocabSize: positiveInteger,
  maxLength: positiveInteger,
  hiddenSize: positiveInteger,
  numLayers: layersSchema,
  numHeads: positiveInteger,
  intermediateSize: positiveInteger.optional(),
  activation: activation.default(defaults.activation),
  layerNormEps: positiveNumber.default(defaults.layerNormEps),
});

type ParsedTextConfig = z.output<z.ZodObject<ReturnType<typeof textKeys>>>;

/** One vector for each text: the other half of contrastive training. */
export interface TextTower extends Module {
  readonly name: string;
  readonly pooledSize: number;
  /**
   * float32[B, pooledSize] of right-padded texts. The caller owns it.
   * @param end where the padding of each text begins, int32[B]. Default: all tokens are real.
   */
  encode(ids: TokenIds, end?: Int32Array): tf.Tensor2D;
}

export interface TextInitializers extends BlockInitializers {
  readonly tokenEmbedding: Initializer;
  readonly positionEmbedding: Initializer;
}

/** What a family fixes. */
export interface TextFamily {
  readonly name: string;
  readonly causal: boolean;
  readonly initializers: TextInitializers;
  /** The token of each text that stands for it, 0 … length − 1; `end` as in `TextTower.encode`. */
  pooledAt(ids: TokenIds, end?: Int32Array): number[];
  /** Applied to the pooled token. */
  readonly head?: Linear;
}

/** The text towers of CLIP and SigLIP: a transformer with norms before attention and MLP, one token of it taken. */
export class TextTransformer extends Module implements TextTower {
  readonly name: string;
  readonly pooledSize: number;
  readonly maxLength: number;
  readonly tokenEmbedding: Embedding;
  /** float32[maxLength, hiddenSize] */
  readonly positionEmbedding: Parameter;
  readonly layers: readonly TransformerBlock[];
  readonly finalNorm: LayerNorm;
  readonly head?: Linear;
  private readonly family: Pick<TextFamily, 'causal' | 'pooledAt'>;

  constructor(config: ParsedTextConfig, { name, causal, initializers, pooledAt, head }: TextFamily) {
    super();
    const { vocabSize, maxLength, hiddenSize, numLayers, layerNormEps } = config;
    const { intermediateSize = 4 * hiddenSize } = config;
    this.name = name;
    this.pooledSize = head?.outputSize ?? hiddenSize;
    this.maxLength = maxLength;
    this.family = { causal, pooledAt };
    this.tokenEmbedding = new Embedding(vocabSize, hiddenSize, initializers.tokenEmbedding);
    this.positionEmbedding = new Parameter([maxLength, hiddenSize], {
      initializer: initializers.positionEmbedding,
    });
    this.layers = Array.from({ length: numLayers }, () =>
      encoderBlock({ ...config, intermediateSize }, initializers),
    );
    this.finalNorm = new LayerNorm(hiddenSize, layerNormEps);
    this.head = head;
  }

  /**
   * @throws ContextLengthError for texts beyond `maxLength`.
   * @throws ConfigError for an id outside the vocabulary, or a text without the token that stands for it.
   */
  encode(ids: TokenIds, end?: Int32Array): tf.Tensor2D {
    const [batch, length] = ids.shape;
    if (length > this.maxLength) {
      throw new ContextLengthError({
        component: `text tower '${this.name}'`,
        expected: `at most ${this.maxLength} tokens`,
        actual: String(length),
      });
    }
    const { causal, pooledAt } = this.family;
    // Under a causal rule no real token sees the padding behind it.
    const rule = causal ? { causal } : { causal, end };
    const rows = pooledAt(ids, end).map((token, text) => text * length + token);
    return tf.tidy(() => {
      let x = this.embed(ids);
      for (const layer of this.layers) x = tf.tidy(() => layer.forward(x, { rule }));
      // Norm and head of one token a text, not of all.
      const flat = tf.reshape<tf.Rank.R2>(x, [batch * length, -1]);
      const pooled = this.finalNorm.forward(selectRows(flat, Int32Array.from(rows)));
      return this.head ? this.head.forward(pooled) : pooled;
    });
  }

  private embed(ids: TokenIds): tf.Tensor3D {
    return tf.tidy(() => {
      const positions = tf.slice(this.positionEmbedding.value, [0, 0], [ids.shape[1], -1]);
      return tf.add(this.tokenEmbedding.forward(ids), positions);
    });
  }
}
