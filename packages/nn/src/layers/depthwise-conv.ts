import { type Initializer, Module, normal, Parameter } from '@mmllm/core';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import { depthwiseConv } from '../ops';

/** A convolution that keeps channels apart: float32[B, H, W, C] to the same shape. */
export class DepthwiseConv extends Module {
  /** float32[side², C], the kernel row by row. */
  readonly weight: Parameter;

  /** @param side of the kernel, odd. */
  constructor(channels: number, side: number, initializer: Initializer = normal(0.02)) {
    super();
    this.weight = new Parameter([side * side, channels], { initializer });
  }

  /** @throws ShapeError for other channels. */
  forward(x: Tensor4D): Tensor4D {
    return depthwiseConv(x, this.weight.value as Tensor2D);
  }
}
