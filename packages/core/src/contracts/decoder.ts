import type { Scalar, Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Module } from '../module';
import type { AttentionRule } from './attention';

/** Token ids on the host: int32[B, T]. */
export interface TokenIds {
  readonly data: Int32Array;
  readonly shape: readonly [batch: number, length: number];
}

/**
 * Positions of every token, on the host: int32[axes, B, T]. One axis for text; three (time, row, column) for M-RoPE, where
 * one axis stands for three equal ones.
 */
export interface Positions {
  readonly data: Int32Array;
  readonly axes: 1 | 3;
  readonly shape: readonly [batch: number, length: number];
}

/** A layer of a fusion's own, run before or after a layer of the decoder. */
export interface LayerInjection {
  /** Index of the decoder's layer. */
  readonly layer: number;
  readonly place: 'before' | 'after';
  /**
   * float32[n · B, T, D] to the same shape, where B are the samples that the fusion was given. Each sample has n rows, as
   * beams are, one after the other: row i is of sample ⌊i / n⌋. `offset` is the number of tokens that the cache already
   * holds: 0 for a prompt. Keys and values of the pictures are the injection's own, B of each; it may compute them at
   * the first call and keep them until `dispose`.
   * @throws ShapeError if the rows are not n · B.
   */
  apply(hidden: Tensor3D, offset: number): Tensor3D;
}

/** What a fusion hands to a decoder. Whoever called the fusion owns the tensors. */
export interface DecoderInputs {
  /** float32[B, T, hiddenSize] */
  readonly embeddings: Tensor3D;
  readonly positions: Positions;
  readonly rule: AttentionRule;
  readonly injections?: readonly LayerInjection[];
  /**
   * The ids that the embeddings stand for, where they are known: penalties count them, and a memory compares them. Image
   * tokens have a negative number for each picture.
   */
  readonly tokens?: TokenIds;
  /** Frees what the injections keep. */
  dispose?(): void;
}

/** What keys and values can be kept as. */
export const CACHE_TYPES = ['float32', 'q8'] as const;

/** `q8`: 8 bits in groups of 32 along the channels, with one float32 scale for each group. */
export type CacheType = (typeof CACHE_TYPES)[number];

export interface CacheOptions {
  /**
   * The most tokens it can hold, for which there is room from the first one on. Default: up to the decoder's
   * `maxLength`, with room that grows by blocks as tokens come.
   */
  readonly capacity?: number;
  /** Default float32. */
  readonly type?: CacheType;
}

/** Text alone, which the decoder embeds itself. */
export interface TextInputs {
  readonly ids: TokenIds;
  /** Default: 0, 1, 2, … of every sample from `rule.start` on, behind the tokens of the cache. */
  readonly positions?: Positions;
  /** Default: causal, with no padding. */
  readonly rule?: AttentionRule;
  readonly injections?: readonly LayerInjection[];
}

/** Keys and values of the tokens seen so far. Made by a decoder and only good for that decoder. */
export interface KeyValueCache {
  readonly batch: number;
  /** Tokens it holds. */
  readonly length: number;
  readonly capacity: number;
  readonly type: CacheType;
  /** Forgets the tokens from `length` on. */
  crop(length: number): void;
  /** A cache of its own with the given rows of this one, for beams and for finished sequences. */
  select(rows: readonly number[]): KeyValueCache;
  /**
   * Row i becomes what row `rows[i]` was, for a step of beam search. Nothing is done for rows that stay, and tokens that
   * rows have in common since a `select` or `reorder` are not copied.
   */
  reorder(rows: readonly number[]): void;
  dispose(): void;
}

/** What a decoder keeps of the last prompt and answer, for the next call of the same conversation. Not for two calls at once. */
export interface PromptMemory {
  /** Tokens it holds. */
  readonly length: number;
  dispose(): void;
}

export interface ForwardOptions {
  /** Continue after the tokens in this cache, and add the new ones to it. */
  readonly cache?: KeyValueCache;
  /** Also return the input of the first layer and the output of every layer. */
  readonly hiddenStates?: boolean;
  /** Also return what a mixture of experts adds to the loss of training. */
  readonly auxiliaryLosses?: boolean;
  /** Also return what the routers of a mixture of experts say of each token. Not with gradient checkpointing. */
  readonly routerLogits?: boolean;
  /**
   * Keep only the input of each layer for the backward pass, which computes the rest of it again: the same bits for
   * much less memory. Default false; without a gradient, or with a cache, it changes nothing.
   */
  readonly gradientCheckpointing?: boolean;
}

/** A term of the loss beside the cross-entropy: `coefficient · loss` is what training adds. */
export interface AuxiliaryLoss {
  /** Such as `balance` and `z`. */
  readonly name: string;
  /** Summed over the layers that have it. */
  readonly loss: Scalar;
  readonly coefficient: number;
}

export interface DecoderOutput {
  /** float32[B, T, hiddenSize], after the last norm. */
  readonly hidden: Tensor3D;
  /** numLayers + 1 states, the last one after the last norm; only when asked for. */
  readonly hiddenStates?: readonly Tensor3D[];
  /** float32[B, T, experts] of every layer that has some; only when asked for. */
  readonly routerLogits?: readonly Tensor3D[];
  /** Only when asked for, and none for a decoder without experts. */
  readonly auxiliaryLosses?: readonly AuxiliaryLoss[];
}

/** What a function of the caller's is told of a step. */
export interface LogitsStep {
  /** Number of tokens that were generated before. */
  readonly step: number;
  /** These tokens, for every row. */
  readonly tokens: readonly (readonly number[])[];
}

/** Changes the logits of a step, float32[B, vocabSize], on the device. What it makes is freed with the step. */
export type LogitsProcessor = (logits: Tensor2D, step: LogitsStep) => Tensor2D;

export interface GenerateOptions {
  /** Default 64. */
  readonly maxNewTokens?: number;
  /** No stop token is picked before there are so many. Default 0. */
  readonly minNewTokens?: number;
  /** 0 is greedy, the default. */
  readonly temperature?: number;
  /** Sample among the k likeliest tokens only. */
  readonly topK?: number;
  /** Sample among the likeliest tokens whose probabilities add up to p. */
  readonly topP?: number;
  /** Sample among the tokens that are at least so many times as likely as the likeliest. */
  readonly minP?: number;
  /** Above 1, tokens of the prompt and of the answer become less likely: see the decoder's README. Default 1. */
  readonly repetitionPenalty?: number;
  /** Taken from the logit of every token that the answer has. Default 0. */
  readonly presencePenalty?: number;
  /** Taken from it for each time that the answer has it. Default 0. */
  readonly frequencyPenalty?: number;
  /** Functions of your own, run in this order after the penalties and before temperature. */
  readonly processors?: readonly LogitsProcessor[];
  /**
   * Classifier-free guidance: how far from what the negative prompts make likely, 1 for not at all. There is one for
   * every prompt; they stay the caller's.
   */
  readonly guidance?: { readonly scale: number; readonly negative: DecoderInputs | TextInputs };
  /** More than 1 is beam search: the tokens are known, and come, at the end. Default 1. */
  readonly numBeams?: number;
  /** Of beams: scores are divided by the length to this power. Default 1. */
  readonly lengthPenalty?: number;
  /** Of beams: `true` stops once there are enough finished ones, `never` only when no better can come. Default false. */
  readonly earlyStopping?: boolean | 'never';
  /** Equal seeds give equal samples. Default 0. */
  readonly seed?: number;
  /** Tokens that end a sequence; they are not part of the result. */
  readonly stopIds?: readonly number[];
  /** What keys and values are kept as. Default float32. */
  readonly cacheType?: CacheType;
  /** Of the call before: what this prompt has in common with it is not run again. For one sequence. */
  readonly memory?: PromptMemory;
  readonly signal?: AbortSignal;
}

export type FinishReason = 'stop' | 'length';

/** One generated token for every sequence of the batch. */
export interface GeneratedTokens {
  /** int32[B]; −1 for a sequence that had finished before. */
  readonly ids: Int32Array;
  /** Why each sequence has ended; absent while it goes on. */
  readonly finished: readonly (FinishReason | undefined)[];
}

/**
 * A decoder-only language model. It never knows that images exist: it takes embeddings, positions, a rule of who sees
 * whom, and injections before or after any layer.
 */
export interface Decoder extends Module {
  readonly specVersion: 'decoder/v1';
  readonly name: string;
  readonly hiddenSize: number;
  readonly vocabSize: number;
  readonly numLayers: number;
  /** Longest sequence, prompt and answer together. */
  readonly maxLength: number;
  /** The most axes that positions may have. */
  readonly positionAxes: 1 | 3;
  /** float32[B, T, hiddenSize] of ids; @throws ConfigError for an id outside the vocabulary. */
  embed(ids: TokenIds): Tensor3D;
  forward(inputs: DecoderInputs | TextInputs, options?: ForwardOptions): DecoderOutput;
  /** float32[…, hiddenSize] after the last norm to float32[…, vocabSize]. */
  logits(hidden: Tensor): Tensor;
  /**
   * @throws ContextLengthError if the capacity exceeds `maxLength`; ConfigError for an unknown type, or sizes that are
   *   no positive integers.
   */
  createCache(batch: number, options?: CacheOptions): KeyValueCache;
  /** For calls of `generate` that begin alike. Its keys and values are float32 unless another type is named. */
  createMemory(options?: Pick<CacheOptions, 'type'>): PromptMemory;
  /** Streams tokens; the cache it makes is freed when the loop ends, also early. The inputs stay the caller's. */
  generate(inputs: DecoderInputs | TextInputs, options?: GenerateOptions): AsyncIterable<GeneratedTokens>;
  /**
   * The log-probability of each continuation of one prompt, summed over its tokens. The inputs stay the caller's.
   * @throws ShapeError for several prompts, ConfigError for an empty continuation, ContextLengthError.
   */
  score(
    inputs: DecoderInputs | TextInputs,
    continuations: readonly (readonly number[])[],
  ): Promise<Float32Array>;
}
