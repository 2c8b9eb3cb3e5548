import {
  type ImageFeatures,
  type ImageTokens,
  Module,
  type Projector,
  type ProjectorSizes,
  uniform,
} from '@mmllm/core';
import { type Activation, Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';

export interface MlpProjectorOptions extends ProjectorSizes {
  name: string;
  numLayers: number;
  bias: boolean;
  /** Between the layers. Default `gelu`. */
  activation?: Activation;
  /** Width between the layers. Default outputSize. */
  hiddenSize?: number;
}

/**
 * Linear layers on every token by itself, so that the tokens and their grid stay as they are. First weights are uniform
 * within ±1 / √inputs, PyTorch's first values for a linear layer, which LLaVA's projector starts from; biases are zero.
 */
export class MlpProjector extends Module implements Projector {
  readonly specVersion = 'projector/v1';
  readonly name: string;
  readonly inputSize: number;
  readonly outputSize: number;
  readonly layers: readonly Linear[];
  private readonly activation: Activation;

  constructor(options: MlpProjectorOptions) {
    super();
    const { name, inputSize, outputSize, numLayers, bias, activation = 'gelu' } = options;
    const { hiddenSize = outputSize } = options;
    this.name = name;
    this.inputSize = inputSize;
    this.outputSize = outputSize;
    this.activation = activation;
    this.layers = Array.from({ length: numLayers }, (_, layer) => {
      const from = layer === 0 ? inputSize : hiddenSize;
      const to = layer === numLayers - 1 ? outputSize : hiddenSize;
      return new Linear(from, to, { bias, initializer: uniform(1 / Math.sqrt(from)) });
    });
  }

  layout(images: readonly ImageTokens[]): ImageTokens[] {
    return [...images];
  }

  /** @throws ShapeError for features of another width than `inputSize`. */
  project({ features, images, mask }: ImageFeatures): ImageFeatures {
    const last = this.layers.length - 1;
    const projected = tf.tidy(() =>
      this.layers.reduce(
        (x, layer, index) => layer.forward(x, index < last ? { activation: this.activation } : {}),
        features,
      ),
    );
    return { features: projected, images, mask };
  }
}
