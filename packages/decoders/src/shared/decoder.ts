import {
  type CacheOptions,
  type Decoder,
  type DecoderInputs,
  type DecoderOutput,
  type ForwardOptions,
  type GeneratedTokens,
  type GenerateOptions,
  type KeyValueCache,
  Module,
  type TokenIds,
} from '@mmllm/core';
import {
  type AttendOptions,
  type Embedding,
  type Linear,
  type Norm,
  type RopeTableOptions,
  ropeTables,
} from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { generateTokens } from './generate';
import { checkInputs, injectionTable } from './inputs';
import { TensorCache } from './kv-cache';

/** One layer of a decoder: float32[B, T, hiddenSize] to the same shape. */
export interface DecoderLayer extends Module {
  forward(x: tf.Tensor3D, options: AttendOptions): tf.Tensor3D;
}

/** What one family of decoders has of its own. */
export interface DecoderParts {
  /** Name for tables and messages. */
  readonly name: string;
  readonly hiddenSize: number;
  readonly vocabSize: number;
  readonly maxLength: number;
  readonly embedTokens: Embedding;
  readonly layers: readonly DecoderLayer[];
  /** The last norm. */
  readonly norm: Norm;
  /** Absent: the table of the embedding is the head as well. */
  readonly head?: Linear;
  /** How queries and keys are rotated. */
  readonly rotary: RopeTableOptions;
}

/** The skeleton that all families share: embedding, layers with injections between them, last norm, head. */
export class TransformerDecoder extends Module implements Decoder {
  readonly specVersion = 'decoder/v1';
  readonly name: string;
  readonly hiddenSize: number;
  readonly vocabSize: number;
  readonly numLayers: number;
  readonly maxLength: number;
  readonly positionAxes = 1;
  readonly embedTokens: Embedding;
  readonly layers: readonly DecoderLayer[];
  readonly norm: Norm;
  readonly head?: Linear;
  readonly #rotary: RopeTableOptions;

  constructor(parts: DecoderParts) {
    super();
    this.name = parts.name;
    this.hiddenSize = parts.hiddenSize;
    this.vocabSize = parts.vocabSize;
    this.numLayers = parts.layers.length;
    this.maxLength = parts.maxLength;
    this.embedTokens = parts.embedTokens;
    this.layers = parts.layers;
    this.norm = parts.norm;
    this.head = parts.head;
    this.#rotary = parts.rotary;
    for (const [path, parameter] of this.namedParameters()) parameter.path = path;
  }

  embed(ids: TokenIds): tf.Tensor3D {
    return this.embedTokens.forward(ids);
  }

  /**
   * The caller owns all tensors of the output. With `hiddenStates`, state 0 is the embeddings as given, and state i
   * what leaves layer i − 1 and the injections after it; the last one is the output after the last norm.
   * @throws ShapeError, ContextLengthError before any kernel runs.
   */
  forward(inputs: DecoderInputs, options: ForwardOptions = {}): DecoderOutput {
    const cache = options.cache && TensorCache.of(options.cache, this, inputs.embeddings.shape[0]);
    checkInputs(this, inputs, cache);
    const offset = cache?.length ?? 0;
    try {
      const states = tf.tidy(() => this.#states(inputs, options.hiddenStates ?? false, cache));
      cache?.advance(inputs.embeddings.shape[1]);
      const hidden = states[states.length - 1];
      return options.hiddenStates ? { hidden, hiddenStates: states } : { hidden };
    } catch (error) {
      cache?.crop(offset);
      throw error;
    }
  }

  logits(hidden: tf.Tensor): tf.Tensor {
    return this.head ? this.head.forward(hidden) : this.embedTokens.unembed(hidden);
  }

  createCache(batch: number, options?: CacheOptions): KeyValueCache {
    return TensorCache.create(this, batch, options);
  }

  generate(inputs: DecoderInputs, options?: GenerateOptions): AsyncGenerator<GeneratedTokens, void> {
    return generateTokens(this, inputs, options);
  }

  /** The last hidden state alone, or all of them. */
  #states(inputs: DecoderInputs, all: boolean, cache: TensorCache | undefined): tf.Tensor3D[] {
    const { embeddings, positions, rule } = inputs;
    const offset = cache?.length ?? 0;
    const rotary = ropeTables(positions, this.#rotary);
    const injections = injectionTable(inputs.injections);
    const states: tf.Tensor3D[] = all ? [tf.clone(embeddings)] : [];
    let x = embeddings;
    this.layers.forEach((layer, i) => {
      for (const injection of injections(i, 'before')) x = injection.apply(x, offset);
      x = tf.tidy(() => layer.forward(x, { rule, rotary, cache: cache?.layer(i) }));
      for (const injection of injections(i, 'after')) x = injection.apply(x, offset);
      if (all && i < this.numLayers - 1) states.push(x);
    });
    states.push(this.norm.forward(x));
    return states;
  }
}
