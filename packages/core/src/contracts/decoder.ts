import type { Scalar, Tensor, Tensor3D } from '@tensorflow/tfjs-core';
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
   * float32[B, T, D] to float32[B, T, D]. `offset` is the number of tokens that the cache already holds: 0 for a
   * prompt. Keys and values of the pictures are the injection's own; it may compute them at the first call and keep
   * them until `dispose`.
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
  /** Frees what the injections keep. */
  dispose?(): void;
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
  /** Forgets the tokens from `length` on. */
  crop(length: number): void;
  /** A cache of its own with the given rows of this one, for beams and for finished sequences. */
  select(rows: readonly number[]): KeyValueCache;
  dispose(): void;
}

export interface ForwardOptions {
  /** Continue after the tokens in this cache, and add the new ones to it. */
  readonly cache?: KeyValueCache;
  /** Also return the input of the first layer and the output of every layer. */
  readonly hiddenStates?: boolean;
  /** Also return what a mixture of experts adds to the loss of training. */
  readonly auxiliaryLosses?: boolean;
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
  /** Only when asked for, and none for a decoder without experts. */
  readonly auxiliaryLosses?: readonly AuxiliaryLoss[];
}

export interface GenerateOptions {
  /** Default 64. */
  readonly maxNewTokens?: number;
  /** 0 is greedy, the default. */
  readonly temperature?: number;
  /** Sample among the k likeliest tokens only. */
  readonly topK?: number;
  /** Sample among the likeliest tokens whose probabilities add up to p. */
  readonly topP?: number;
  /** Equal seeds give equal samples. Default 0. */
  readonly seed?: number;
  /** Tokens that end a sequence; they are not part of the result. */
  readonly stopIds?: readonly number[];
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
  /** @throws ContextLengthError if the capacity exceeds `maxLength`. Default capacity: `maxLength`. */
  createCache(batch: number, capacity?: number): KeyValueCache;
  /** Streams tokens; the cache it makes is freed when the loop ends, also early. The inputs stay the caller's. */
  generate(inputs: DecoderInputs | TextInputs, options?: GenerateOptions): AsyncIterable<GeneratedTokens>;
}
