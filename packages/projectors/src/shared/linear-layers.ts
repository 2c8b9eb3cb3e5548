import { uniform } from '@mmllm/core';
import { type Activation, Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';

export interface LinearLayersOptions {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly numLayers: number;
  readonly bias: boolean;
  /** Width between the layers. Default outputSize. */
  readonly hiddenSize?: number;
}

/** First weights are uniform within ±1 / √inputs, PyTorch's first values for a linear layer; biases are zero. */
export const firstLinear = (inputSize: number, outputSize: number, bias: boolean): Linear =>
  new Linear(inputSize, outputSize, { bias, initializer: uniform(1 / Math.sqrt(inputSize)) });

/** The layers of an MLP, from one width to another. */
export function linearLayers(options: LinearLayersOptions): Linear[] {
  const { inputSize, outputSize, numLayers, bias, hiddenSize = outputSize } = options;
  return Array.from({ length: numLayers }, (_, layer) => {
    const from = layer === 0 ? inputSize : hiddenSize;
    return firstLinear(from, layer === numLayers - 1 ? outputSize : hiddenSize, bias);
  });
}

/** float32[…, D] through every layer, with the activation between them. The caller owns the result. */
export function runLayers<T extends tf.Tensor>(layers: readonly Linear[], activation: Activation, x: T): T {
  const last = layers.length - 1;
  return tf.tidy(() =>
    layers.reduce((inner, layer, i) => layer.forward(inner, i < last ? { activation } : {}), x),
  );
}

/** A layer where two widths differ; none where they are equal. */
export const widthChange = (inputSize: number, outputSize: number): Linear | undefined =>
  inputSize === outputSize ? undefined : firstLinear(inputSize, outputSize, true);
