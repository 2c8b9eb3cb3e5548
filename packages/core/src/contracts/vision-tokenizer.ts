import type { Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Module } from '../module';
import type { ImagePreprocessing } from './images';

/**
 * Pictures to discrete codes and back. The codes can be part of a decoder's vocabulary (Emu3), or have an embedding,
 * an aligner and a head of their own (Janus).
 */
export interface VisionTokenizer extends Module {
  readonly specVersion: 'vision-tokenizer/v1';
  readonly name: string;
  /** Number of codes. */
  readonly codebookSize: number;
  /** Width of a code's vector. */
  readonly codeSize: number;
  /** Pixels per code, each way. */
  readonly stride: number;
  readonly preprocessing: ImagePreprocessing;
  /**
   * float32[B, H, W, 3] to int32[B, H / stride, W / stride]. The caller owns the result.
   * @throws ShapeError for other channels, or sides that the stride does not divide.
   */
  encode(pixels: Tensor4D): Tensor3D;
  /**
   * int32[B, rows, columns], each code from 0 to codebookSize, to float32[B, rows · stride, columns · stride, 3], about in
   * the range of what `encode` takes. The caller owns the result.
   */
  decode(codes: Tensor3D): Tensor4D;
}
