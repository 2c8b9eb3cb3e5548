import { Module, ones, Parameter, zeros } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { groupNorm, layerNorm, rmsNorm } from '../ops';

/** A norm over the last axis: float32[…, D] to the same shape. */
export interface Norm extends Module {
  forward<T extends tf.Tensor>(x: T): T;
}

/** Ba, Kiros and Hinton 2016 (arXiv:1607.06450): `(x − mean) / √(variance + eps) · weight + bias`. */
export class LayerNorm extends Module implements Norm {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(
    size: number,
    private readonly eps = 1e-5,
  ) {
    super();
    this.weight = new Parameter([size], { initializer: ones });
    this.bias = new Parameter([size], { initializer: zeros });
  }

  forward<T extends tf.Tensor>(x: T): T {
    return layerNorm(x, this.weight.value, this.bias.value, this.eps) as T;
  }
}

export interface RmsNormOptions {
  eps?: number;
  /** 1 for Gemma's form, which scales by `1 + weight` and starts from zero weights. Default 0. */
  offset?: 0 | 1;
}

/** Zhang and Sennrich 2019 (arXiv:1910.07467): `x / √(mean(x²) + eps) · (offset + weight)`. */
export class RmsNorm extends Module implements Norm {
  readonly weight: Parameter;
  private readonly eps: number;
  private readonly offset: 0 | 1;

  constructor(size: number, { eps = 1e-6, offset = 0 }: RmsNormOptions = {}) {
    super();
    this.eps = eps;
    this.offset = offset;
    this.weight = new Parameter([size], { initializer: offset ? zeros : ones });
  }

  forward<T extends tf.Tensor>(x: T): T {
    return rmsNorm(x, this.weight.value, this.eps, { offset: this.offset }) as T;
  }
}

/** Wu and He 2018 (arXiv:1803.08494): each group of channels is normalised over all pixels of its picture. */
export class GroupNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  /** @param numGroups divides the channels. */
  constructor(
    channels: number,
    private readonly numGroups: number,
    private readonly eps = 1e-5,
  ) {
    super();
    this.weight = new Parameter([channels], { initializer: ones });
    this.bias = new Parameter([channels], { initializer: zeros });
  }

  /** float32[B, H, W, channels] to the same shape. @throws ShapeError for channels that the groups do not divide. */
  forward(x: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(() => {
      const normed = groupNorm(x, this.numGroups, this.eps);
      return tf.add(tf.mul(normed, this.weight.value), this.bias.value);
    });
  }
}
