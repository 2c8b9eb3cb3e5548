import {
  type ImageFeatures,
  type ImageTokens,
  Module,
  type Projector,
  type ProjectorSizes,
} from '@mmllm/core';
import type { Activation, Linear } from '@mmllm/nn';
import { linearLayers, runLayers } from '../shared/linear-layers';

export interface MlpProjectorOptions extends ProjectorSizes {
  name: string;
  numLayers: number;
  bias: boolean;
  /** Between the layers. Default `gelu`. */
  activation?: Activation;
  /** Width between the layers. Default outputSize. */
  hiddenSize?: number;
}

/** Linear layers on every token by itself, so that the tokens and their grid stay as they are. */
export class MlpProjector extends Module implements Projector {
  readonly specVersion = 'projector/v1';
  readonly name: string;
  readonly inputSize: number;
  readonly outputSize: number;
  readonly layers: readonly Linear[];
  private readonly activation: Activation;

  constructor({ name, activation = 'gelu', ...options }: MlpProjectorOptions) {
    super();
    this.name = name;
    this.inputSize = options.inputSize;
    this.outputSize = options.outputSize;
    this.activation = activation;
    this.layers = linearLayers(options);
  }

  layout(images: readonly ImageTokens[]): ImageTokens[] {
    return [...images];
  }

  /** @throws ShapeError for features of another width than `inputSize`. */
  project({ features, images, mask }: ImageFeatures): ImageFeatures {
    return { features: runLayers(this.layers, this.activation, features), images, mask };
  }
}
