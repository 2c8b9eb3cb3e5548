import type { Module } from '../module';
import type { ImageFeatures, ImageTokens } from './images';

/** Features of the encoder's width to features of the decoder's; may change the number of tokens and their grid. */
export interface Projector extends Module {
  readonly specVersion: 'projector/v1';
  readonly name: string;
  readonly inputSize: number;
  readonly outputSize: number;
  /** The tokens that `project` will give; runs no kernel. */
  layout(images: readonly ImageTokens[]): ImageTokens[];
  /** float32[rows, inputSize] to float32[rows', outputSize]. The caller owns the result. */
  project(features: ImageFeatures): ImageFeatures;
}

export interface ProjectorSizes {
  readonly inputSize: number;
  readonly outputSize: number;
}

/** What users pass to `composeModel`: the sizes come from the neighbours. */
export interface ProjectorFactory {
  readonly specVersion: 'projector/v1';
  readonly name: string;
  build(sizes: ProjectorSizes): Projector;
}
