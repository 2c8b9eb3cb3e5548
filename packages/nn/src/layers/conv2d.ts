import { type Initializer, Module, Parameter, uniform, zeros } from '@mmllm/core';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import { conv2d } from '../ops';

export interface Conv2dLayerOptions {
  /** Side of the kernel. Default 3. */
  kernelSize?: number;
  /** Default 1. */
  stride?: number;
  /** Of the weight. Default uniform within ±1 / √inputs of the kernel, PyTorch's first values. */
  initializer?: Initializer;
}

/** A convolution with zeros around the borders: see the op `conv2d`. */
export class Conv2d extends Module {
  /** float32[kernelSize² · inputSize, outputSize], the kernel (row, column, channel). */
  readonly weight: Parameter;
  readonly bias: Parameter;
  private readonly stride: number;

  /** @param inputSize, outputSize numbers of channels */
  constructor(
    inputSize: number,
    outputSize: number,
    { kernelSize = 3, stride = 1, initializer }: Conv2dLayerOptions = {},
  ) {
    super();
    const inputs = kernelSize ** 2 * inputSize;
    this.stride = stride;
    this.weight = new Parameter([inputs, outputSize], {
      initializer: initializer ?? uniform(1 / Math.sqrt(inputs)),
    });
    this.bias = new Parameter([outputSize], { initializer: zeros });
  }

  /**
   * float32[B, H, W, inputSize] to float32[B, ⌈H / stride⌉, ⌈W / stride⌉, outputSize].
   * @throws ShapeError for other channels.
   */
  forward(x: Tensor4D): Tensor4D {
    const { stride } = this;
    return conv2d(x, this.weight.value as Tensor2D, { stride, bias: this.bias.value });
  }
}
