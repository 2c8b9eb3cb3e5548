import { Module } from '@mmllm/core';
import type { Linear } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { PoolingHead } from '../shared/vision-transformer';

/** `tanh(dense(class token))`. */
export class TanhPooler extends Module implements PoolingHead {
  constructor(readonly dense: Linear) {
    super();
  }

  /** float32[B, 1, D] to float32[B, D]. */
  forward(tokens: tf.Tensor3D): tf.Tensor2D {
    return tf.tidy(() => {
      const [batch, , size] = tokens.shape;
      return this.dense.forward(tf.reshape<tf.Rank.R2>(tokens, [batch, size]), {
        activation: 'tanh',
      });
    });
  }
}
