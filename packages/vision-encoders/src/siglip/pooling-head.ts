import { Module, Parameter, uniform } from '@mmllm/core';
import { Attention, LayerNorm, Mlp } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { EncoderBlockOptions } from '../shared/encoder-block';
import { xavierUniform } from '../shared/initializers';
import type { PoolingHead } from '../shared/vision-transformer';

/**
 * Multi-head attention pooling: one learned query over all tokens, then a residual MLP (Zhai et al. 2021,
 * arXiv:2106.04560, as in big_vision's `MAPHead`).
 */
export class AttentionPoolingHead extends Module implements PoolingHead {
  /** The query, float32[hiddenSize]. */
  readonly probe: Parameter;
  readonly attention: Attention;
  readonly norm: LayerNorm;
  readonly mlp: Mlp;

  constructor({ hiddenSize, numHeads, intermediateSize, activation, layerNormEps }: EncoderBlockOptions) {
    super();
    // It decays as in PyTorch, where it is [1, 1, hiddenSize].
    this.probe = new Parameter([hiddenSize], {
      initializer: uniform(Math.sqrt(3 / hiddenSize)),
      decay: true,
    });
    this.attention = new Attention({
      hiddenSize,
      numHeads,
      // Glorot's bound of the joint [hiddenSize, 3 · hiddenSize] projection that this layer has in the paper's code.
      initializer: xavierUniform(hiddenSize, 3 * hiddenSize),
    });
    this.norm = new LayerNorm(hiddenSize, layerNormEps);
    this.mlp = new Mlp({
      hiddenSize,
      intermediateSize,
      activation,
      initializer: xavierUniform(hiddenSize, intermediateSize),
    });
  }

  /** float32[B, N, hiddenSize] to float32[B, hiddenSize]. */
  forward(tokens: tf.Tensor3D): tf.Tensor2D {
    return tf.tidy(() => {
      const [batch, , size] = tokens.shape;
      const probe = tf.tile(tf.reshape<tf.Rank.R3>(this.probe.value, [1, 1, size]), [batch, 1, 1]);
      const mixed = this.attention.attend(probe, this.attention.keyValues(tokens), {
        rule: { causal: false },
      });
      const pooled = tf.reshape<tf.Rank.R2>(mixed, [batch, size]);
      return tf.add(pooled, this.mlp.forward(this.norm.forward(pooled)));
    });
  }
}
