import {
  type ImageFeatures,
  type ImageTokens,
  Module,
  type Projector,
  type ProjectorSizes,
} from '@mmllm/core';

/** What every projector is beside what it computes. */
export abstract class SizedProjector extends Module implements Projector {
  readonly specVersion = 'projector/v1';
  abstract readonly name: string;
  readonly inputSize: number;
  readonly outputSize: number;

  constructor({ inputSize, outputSize }: ProjectorSizes) {
    super();
    this.inputSize = inputSize;
    this.outputSize = outputSize;
  }

  abstract layout(images: readonly ImageTokens[]): ImageTokens[];
  abstract project(features: ImageFeatures): ImageFeatures;
}
