import type { Tensor3D } from '@tensorflow/tfjs-core';
import type { Module } from '../module';
import type { Decoder, DecoderInputs, TokenIds } from './decoder';
import type { ImageEncoder } from './image-encoder';
import type { ImageFeatures, ImageTokens } from './images';

/** What stands for a picture in the token sequence, piece by piece. */
export type SequencePiece =
  /** As many image tokens, each the place of one feature row, in the order of the rows they take. */
  | { readonly kind: 'features'; readonly count: number }
  /** One image token that takes no feature: it only says where the picture belongs. */
  | { readonly kind: 'marker' }
  /** Text of the vocabulary, such as a tile tag or a row separator. */
  | { readonly kind: 'text'; readonly text: string };

/** Text and pictures of a batch, ready to be joined. */
export interface FusionInputs {
  readonly ids: TokenIds;
  /** Which positions hold real tokens: start and end (exclusive) of every sample, int32[B] each. Default: all. */
  readonly start?: Int32Array;
  readonly end?: Int32Array;
  /** The token that stands for pictures. */
  readonly imageTokenId: number;
  /** Number of pictures of each sample; they lie in `images` in this order. */
  readonly imagesPerSample: readonly number[];
  /** The projected tokens of every picture of the batch, known before any kernel runs. */
  readonly images: readonly ImageTokens[];
  /** Prefix-LM: every token before this index is seen by all, int32[B]. */
  readonly prefix?: Int32Array;
  /** Where several samples are packed into a row: which of them each token belongs to, int32[B, T]. */
  readonly blocks?: Int32Array;
  /** float32[B, T, hiddenSize] of the decoder. The fusion owns the result. */
  embed(ids: TokenIds): Tensor3D;
  /** Features of the decoder's width for `images`. Good until the fused inputs are disposed; never disposed by the fusion. */
  encode(): ImageFeatures;
}

/** Joins text and pictures: unified (Method A), by cross-attention (Method B), or both. */
export interface Fusion extends Module {
  readonly specVersion: 'fusion/v1';
  readonly name: string;
  /** What the text must hold for one picture with these projected tokens; runs no kernel. */
  placeholders(image: ImageTokens): SequencePiece[];
  /**
   * Everything the decoder consumes. The caller owns the embeddings and calls `dispose`, if there is one, at the end.
   * Counts are checked before `embed` and `encode` run a kernel.
   * @throws PlaceholderCountError if a sample's image tokens are not as many as its features.
   */
  fuse(inputs: FusionInputs): DecoderInputs;
}

/** What a fusion may know of the parts it joins. */
export interface FusionContext {
  readonly decoder: Decoder;
  readonly encoder: ImageEncoder;
}

/** What users pass to `composeModel`. */
export interface FusionFactory {
  readonly specVersion: 'fusion/v1';
  readonly name: string;
  /** @throws ConfigError if the decoder lacks a layer that it names. */
  build(context: FusionContext): Fusion;
}
