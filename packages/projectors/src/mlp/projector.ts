import type { ImageFeatures, ImageTokens, ProjectorSizes } from '@mmllm/core';
import type { Activation, Linear } from '@mmllm/nn';
import { linearLayers, runLayers } from '../shared/linear-layers';
import { SizedProjector } from '../shared/sized-projector';

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
export class MlpProjector extends SizedProjector {
  readonly name: string;
  readonly layers: readonly Linear[];
  private readonly activation: Activation;

  constructor({ name, activation = 'gelu', ...options }: MlpProjectorOptions) {
    super(options);
    this.name = name;
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
