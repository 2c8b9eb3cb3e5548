import { Module, ShapeError, uniform } from '@mmllm/core';
import { Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { PictureNorm } from '../shared/blocks';
import { enlarge } from '../shared/resample';
import { groupNorm } from '../shared/stacks';

/**
 * Spatially conditioned normalisation (Zheng et al. 2022, MoVQ, arXiv:2209.09002): each pixel is scaled and shifted by what
 * the vector of its code says. Both are made for each code and then enlarged, which comes to the same.
 */
export class SpatialNorm extends Module implements PictureNorm {
  readonly norm: PictureNorm;
  readonly scale: Linear;
  readonly shift: Linear;

  constructor(channels: number, codeSize: number) {
    super();
    const initializer = uniform(1 / Math.sqrt(codeSize));
    this.norm = groupNorm(channels);
    this.scale = new Linear(codeSize, channels, { initializer });
    this.shift = new Linear(codeSize, channels, { initializer });
  }

  /** @throws ShapeError without codes. */
  forward(x: tf.Tensor4D, codes?: tf.Tensor4D): tf.Tensor4D {
    if (!codes) {
      throw new ShapeError({ component: 'spatial norm', expected: 'vectors of codes', actual: 'none' });
    }
    return tf.tidy(() => {
      const factor = x.shape[1] / codes.shape[1];
      const scaled = tf.mul(this.norm.forward(x), enlarge(this.scale.forward(codes), factor));
      return tf.add(scaled, enlarge(this.shift.forward(codes), factor));
    });
  }
}
