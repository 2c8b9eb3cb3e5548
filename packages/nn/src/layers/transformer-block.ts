import { Module } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';
import type { AttendOptions, Attention } from './attention';
import type { FeedForward } from './mlp';
import type { Norm } from './norm';

export interface TransformerBlockParts {
  attentionNorm: Norm;
  selfAttention: Attention;
  mlpNorm: Norm;
  mlp: FeedForward;
}

/** Pre-norm block: `x += attention(norm(x)); x += mlp(norm(x))`. Encoders and decoders fill in their own parts. */
export class TransformerBlock extends Module {
  readonly attentionNorm: Norm;
  readonly selfAttention: Attention;
  readonly mlpNorm: Norm;
  readonly mlp: FeedForward;

  constructor({ attentionNorm, selfAttention, mlpNorm, mlp }: TransformerBlockParts) {
    super();
    this.attentionNorm = attentionNorm;
    this.selfAttention = selfAttention;
    this.mlpNorm = mlpNorm;
    this.mlp = mlp;
  }

  /** float32[B, T, hiddenSize] to the same shape. */
  forward(x: tf.Tensor3D, options: Omit<AttendOptions, 'residual'>): tf.Tensor3D {
    const attended = this.selfAttention.forward(this.attentionNorm.forward(x), { ...options, residual: x });
    return this.mlp.forward(this.mlpNorm.forward(attended), { residual: attended });
  }
}
