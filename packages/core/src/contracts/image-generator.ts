import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import type { Module } from '../module';
import type { Decoder, TokenIds } from './decoder';
import type { VisionTokenizer } from './vision-tokenizer';

/**
 * Pictures as codes that a decoder reads and predicts. The codes have vectors and a head of their own (Janus), or they
 * are words of the decoder's vocabulary (Emu3).
 */
export interface ImageGenerator extends Module {
  readonly specVersion: 'image-generator/v1';
  readonly name: string;
  readonly tokenizer: VisionTokenizer;
  /**
   * What the decoder reads for codes, int32[B, T] from 0 to codebookSize: float32[B, T, hiddenSize]. The caller owns it.
   * @throws ConfigError for a code outside the codebook.
   */
  embed(codes: TokenIds): Tensor3D;
  /** float32[…, hiddenSize] after the decoder's last norm to float32[…, codebookSize]. The caller owns the result. */
  logits(hidden: Tensor): Tensor;
}

/** What users pass to `composeModel`: the sizes come from the decoder. */
export interface ImageGeneratorFactory {
  readonly specVersion: 'image-generator/v1';
  readonly name: string;
  /** @throws ConfigError for codes that the decoder has no words for. */
  build(context: { readonly decoder: Decoder }): ImageGenerator;
}
