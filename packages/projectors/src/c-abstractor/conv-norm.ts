import { Module, uniform } from '@mmllm/core';
import { type Activation, activate, DepthwiseConv, type GridSize, LayerNorm, type Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { firstLinear } from '../shared/linear-layers';

/** What timm builds from `LayerNorm2d` with an activation has this, and not 1e-6. */
const EPS = 1e-5;

/** Side of the kernel of a depthwise convolution. */
const SIDE = 3;

const withActivation = (x: tf.Tensor3D, activation: Activation | undefined): tf.Tensor3D =>
  activation ? activate(x, activation) : x;

/** A 1×1 convolution without bias, which is a linear layer on every token, and a LayerNorm over channels. */
export class PointwiseNorm extends Module {
  readonly conv: Linear;
  readonly norm: LayerNorm;

  constructor(
    inputSize: number,
    outputSize: number,
    private readonly activation?: Activation,
  ) {
    super();
    this.conv = firstLinear(inputSize, outputSize, false);
    this.norm = new LayerNorm(outputSize, EPS);
  }

  /** float32[B, T, inputSize] to float32[B, T, outputSize]. */
  forward(x: tf.Tensor3D): tf.Tensor3D {
    return withActivation(this.norm.forward(this.conv.forward(x)), this.activation);
  }
}

/** A depthwise 3×3 convolution without bias, and a LayerNorm over channels. */
export class DepthwiseNorm extends Module {
  readonly conv: DepthwiseConv;
  readonly norm: LayerNorm;

  constructor(
    width: number,
    private readonly activation?: Activation,
  ) {
    super();
    this.conv = new DepthwiseConv(width, SIDE, uniform(1 / SIDE));
    this.norm = new LayerNorm(width, EPS);
  }

  /** float32[B, rows · columns, D] to the same shape. */
  forward(x: tf.Tensor3D, { rows, columns }: GridSize): tf.Tensor3D {
    const [batch, , width] = x.shape;
    const convolved = this.conv.forward(tf.reshape(x, [batch, rows, columns, width]));
    return withActivation(this.norm.forward(tf.reshape(convolved, x.shape)), this.activation);
  }
}
