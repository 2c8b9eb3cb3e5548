import { constant, Module, Parameter } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { AttendOptions, Attention } from './attention';
import type { FeedForward } from './mlp';
import type { Norm } from './norm';

export interface TransformerBlockParts {
  attentionNorm: Norm;
  selfAttention: Attention;
  mlpNorm: Norm;
  mlp: FeedForward;
  /** What both branches are scaled by, one learned factor for each channel, and its first value. Default: not at all. */
  layerScale?: { size: number; initial: number };
}

/**
 * Pre-norm block: `x += attention(norm(x)); x += mlp(norm(x))`, with each branch scaled where asked for (LayerScale, Touvron
 * et al. 2021, arXiv:2103.17239). Encoders and decoders fill in their own parts.
 */
export class TransformerBlock extends Module {
  readonly attentionNorm: Norm;
  readonly selfAttention: Attention;
  readonly mlpNorm: Norm;
  readonly mlp: FeedForward;
  /** float32[hiddenSize] both. */
  readonly attentionScale?: Parameter;
  readonly mlpScale?: Parameter;

  constructor({ attentionNorm, selfAttention, mlpNorm, mlp, layerScale }: TransformerBlockParts) {
    super();
    this.attentionNorm = attentionNorm;
    this.selfAttention = selfAttention;
    this.mlpNorm = mlpNorm;
    this.mlp = mlp;
    if (!layerScale) return;
    const scale = () => new Parameter([layerScale.size], { initializer: constant(layerScale.initial) });
    this.attentionScale = scale();
    this.mlpScale = scale();
  }

  /** float32[B, T, hiddenSize] to the same shape. */
  forward(x: tf.Tensor3D, options: Omit<AttendOptions, 'residual'>): tf.Tensor3D {
    const { attentionNorm, selfAttention, mlpNorm, mlp, attentionScale, mlpScale } = this;
    const attended = branch(x, attentionScale, (residual) =>
      selfAttention.forward(attentionNorm.forward(x), { ...options, residual }),
    );
    return branch(attended, mlpScale, (residual) => mlp.forward(mlpNorm.forward(attended), { residual }));
  }
}

/** `x + scale · run()`; without a scale the branch adds x itself, which costs nothing. */
function branch(
  x: tf.Tensor3D,
  scale: Parameter | undefined,
  run: (residual?: tf.Tensor3D) => tf.Tensor3D,
): tf.Tensor3D {
  return scale ? tf.add(x, tf.mul(run(), scale.value)) : run(x);
}
