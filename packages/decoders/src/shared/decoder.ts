import {
  type AttentionRule,
  type CacheOptions,
  type Decoder,
  type DecoderInputs,
  type DecoderOutput,
  type ForwardOptions,
  type GeneratedTokens,
  type GenerateOptions,
  type KeyValueCache,
  Module,
  type PromptMemory,
  type TextInputs,
  type TokenIds,
} from '@mmllm/core';
import {
  type BlockOptions,
  type Embedding,
  type Linear,
  type Norm,
  type RopeTableOptions,
  ropeTables,
} from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { generateTokens } from '../generation/generate';
import { CachedPrompt } from '../generation/memory';
import { scoreContinuations } from '../generation/score';
import { AuxiliarySum, type LossCoefficients } from './auxiliary';
import { checkInputs, embedded, injectionTable } from './inputs';
import { TensorCache } from './kv-cache';
import { recomputedLayer } from './recomputed-layer';

/** One layer of a decoder: float32[B, T, hiddenSize] to the same shape. */
export interface DecoderLayer extends Module {
  forward(x: tf.Tensor3D, options: BlockOptions): tf.Tensor3D;
}

/** What one family of decoders has of its own. */
export interface DecoderParts {
  /** Name for tables and messages. */
  readonly name: string;
  readonly hiddenSize: number;
  readonly vocabSize: number;
  readonly maxLength: number;
  readonly embedTokens: Embedding;
  /** What the rows of the table are multiplied by. Default 1. */
  readonly embeddingScale?: number;
  readonly layers: readonly DecoderLayer[];
  /** How many latest tokens each layer sees, itself included. Default: all, in every layer. */
  readonly windows?: readonly (number | undefined)[];
  /** The last norm. */
  readonly norm: Norm;
  /** Absent: the table of the embedding is the head as well. */
  readonly head?: Linear;
  /** How queries and keys are rotated. */
  readonly rotary: RopeTableOptions;
  /** What the losses of a mixture of experts count. Default: there are none. */
  readonly routingLosses?: LossCoefficients;
}

/** The skeleton that all families share: embedding, layers with injections between them, last norm, head. */
export class TransformerDecoder extends Module implements Decoder {
  readonly specVersion = 'decoder/v1';
  readonly name: string;
  readonly hiddenSize: number;
  readonly vocabSize: number;
  readonly numLayers: number;
  readonly maxLength: number;
  readonly positionAxes: 1 | 3;
  readonly embedTokens: Embedding;
  readonly layers: readonly DecoderLayer[];
  readonly norm: Norm;
  readonly head?: Linear;
  readonly #parts: DecoderParts;

  constructor(parts: DecoderParts) {
    super();
    this.#parts = parts;
    this.name = parts.name;
    this.hiddenSize = parts.hiddenSize;
    this.vocabSize = parts.vocabSize;
    this.numLayers = parts.layers.length;
    this.maxLength = parts.maxLength;
    this.positionAxes = parts.rotary.sections ? 3 : 1;
    this.embedTokens = parts.embedTokens;
    this.layers = parts.layers;
    this.norm = parts.norm;
    this.head = parts.head;
    for (const [path, parameter] of this.namedParameters()) parameter.path = path;
  }

  embed(ids: TokenIds): tf.Tensor3D {
    const { embeddingScale = 1 } = this.#parts;
    if (embeddingScale === 1) return this.embedTokens.forward(ids);
    return tf.tidy(() => tf.mul(this.embedTokens.forward(ids), embeddingScale));
  }

  /**
   * The caller owns all tensors of the output. With `hiddenStates`, state 0 is the embeddings as given, and state i
   * what leaves layer i − 1 and the injections after it; the last one is the output after the last norm.
   * @throws ShapeError, ContextLengthError before any kernel runs; ConfigError for an id outside the vocabulary.
   */
  forward(inputs: DecoderInputs | TextInputs, options: ForwardOptions = {}): DecoderOutput {
    const { inputs: whole, dispose } = embedded(this, inputs, options.cache?.length);
    try {
      return this.#forward(whole, options);
    } finally {
      dispose();
    }
  }

  logits(hidden: tf.Tensor): tf.Tensor {
    return this.head ? this.head.forward(hidden) : this.embedTokens.unembed(hidden);
  }

  createCache(batch: number, options?: CacheOptions): KeyValueCache {
    return TensorCache.create(this, batch, options);
  }

  createMemory(options: Pick<CacheOptions, 'type'> = {}): PromptMemory {
    return new CachedPrompt(this, options.type);
  }

  generate(
    inputs: DecoderInputs | TextInputs,
    options?: GenerateOptions,
  ): AsyncGenerator<GeneratedTokens, void> {
    return generateTokens(this, inputs, options);
  }

  score(
    inputs: DecoderInputs | TextInputs,
    continuations: readonly (readonly number[])[],
  ): Promise<Float32Array> {
    return scoreContinuations(this, inputs, continuations);
  }

  #forward(inputs: DecoderInputs, options: ForwardOptions): DecoderOutput {
    const { cache: given, hiddenStates = false, auxiliaryLosses = false } = options;
    const { gradientCheckpointing = false, routerLogits = false } = options;
    const cache = given && TensorCache.of(given, this, inputs.embeddings.shape[0]);
    checkInputs(this, inputs, cache);
    const offset = cache?.length ?? 0;
    const hasLosses = auxiliaryLosses && this.#parts.routingLosses !== undefined;
    const routing = hasLosses || routerLogits ? this.#auxiliary(inputs) : undefined;
    try {
      const { states, losses, logits } = tf.tidy(() => {
        const states = this.#states(inputs, hiddenStates, cache, routing, gradientCheckpointing);
        return {
          states,
          losses: (hasLosses && routing?.sums()) || [],
          logits: routerLogits ? [...(routing?.logits ?? [])] : [],
        };
      });
      cache?.advance(inputs.embeddings.shape[1]);
      return {
        hidden: states[states.length - 1],
        ...(hiddenStates && { hiddenStates: states }),
        ...(auxiliaryLosses && { auxiliaryLosses: (hasLosses && routing?.named(losses)) || [] }),
        ...(routerLogits && { routerLogits: logits }),
      };
    } catch (error) {
      cache?.crop(offset);
      throw error;
    }
  }

  /** The last hidden state alone, or all of them. */
  #states(
    { embeddings, positions, rule, ...rest }: DecoderInputs,
    all: boolean,
    cache: TensorCache | undefined,
    routing: AuxiliarySum | undefined,
    checkpointing: boolean,
  ): tf.Tensor3D[] {
    const offset = cache?.length ?? 0;
    const rotary = ropeTables(positions, this.#parts.rotary);
    const ruleOf = this.#rules(rule);
    const injections = injectionTable(rest.injections);
    const states: tf.Tensor3D[] = all ? [tf.clone(embeddings)] : [];
    let x = embeddings;
    this.layers.forEach((layer, i) => {
      for (const injection of injections(i, 'before')) x = injection.apply(x, offset);
      const options = { rule: ruleOf(i), rotary, cache: cache?.layer(i), routing };
      const run = () => (checkpointing ? recomputedLayer(layer, x, options) : layer.forward(x, options));
      // What a layer says of its routing outlives it.
      x = routing ? run() : tf.tidy(run);
      for (const injection of injections(i, 'after')) x = injection.apply(x, offset);
      if (all && i < this.numLayers - 1) states.push(x);
    });
    states.push(this.norm.forward(x));
    return states;
  }

  /** The rule of each layer: its window narrows the one that is given. */
  #rules(rule: AttentionRule): (layer: number) => AttentionRule {
    const { windows } = this.#parts;
    if (!windows) return () => rule;
    const narrowed = new Map<number, AttentionRule>();
    return (layer) => {
      const window = windows[layer];
      if (window === undefined) return rule;
      const known = narrowed.get(window) ?? { ...rule, window: Math.min(window, rule.window ?? window) };
      narrowed.set(window, known);
      return known;
    };
  }

  #auxiliary({ embeddings, rule }: DecoderInputs): AuxiliarySum {
    const [batch, length] = embeddings.shape;
    return new AuxiliarySum(this.#parts.routingLosses ?? { balance: 0, z: 0 }, [batch, length], rule);
  }
}
