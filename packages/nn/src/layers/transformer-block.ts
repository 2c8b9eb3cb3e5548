import { constant, Module, Parameter } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { RoutingObserver } from '../ops';
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
  /** Norms stand in front of the branches, or behind them, before they are added (OLMo 2, arXiv:2501.00656). Default `before`. */
  norms?: 'before' | 'after';
}

export interface BlockOptions extends Omit<AttendOptions, 'residual'> {
  /** Takes the losses of a mixture of experts. */
  readonly routing?: RoutingObserver;
}

/**
 * A transformer's layer: `x += attention(norm(x)); x += mlp(norm(x))`, with each branch scaled where asked for (LayerScale,
 * Touvron et al. 2021, arXiv:2103.17239), or its norm behind it. Encoders and decoders fill in their own parts.
 */
export class TransformerBlock extends Module {
  readonly attentionNorm: Norm;
  readonly selfAttention: Attention;
  readonly mlpNorm: Norm;
  readonly mlp: FeedForward;
  /** float32[hiddenSize] both. */
  readonly attentionScale?: Parameter;
  readonly mlpScale?: Parameter;
  private readonly norms: 'before' | 'after';

  constructor({
    attentionNorm,
    selfAttention,
    mlpNorm,
    mlp,
    layerScale,
    norms = 'before',
  }: TransformerBlockParts) {
    super();
    this.norms = norms;
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
  forward(x: tf.Tensor3D, { routing, ...options }: BlockOptions): tf.Tensor3D {
    const { attentionNorm, selfAttention, mlpNorm, mlp, attentionScale, mlpScale } = this;
    const attended = this.branch(x, attentionNorm, attentionScale, (input, residual) =>
      selfAttention.forward(input, { ...options, residual }),
    );
    return this.branch(attended, mlpNorm, mlpScale, (input, residual) =>
      mlp.forward(input, { residual, routing }),
    );
  }

  /** `x + scale · run(norm(x))`, or `x + scale · norm(run(x))`. Where it can, the branch adds x itself, which costs nothing. */
  private branch(
    x: tf.Tensor3D,
    norm: Norm,
    scale: Parameter | undefined,
    run: (input: tf.Tensor3D, residual?: tf.Tensor3D) => tf.Tensor3D,
  ): tf.Tensor3D {
    if (this.norms === 'after') return tf.add(x, scaled(norm.forward(run(x)), scale));
    return scale ? tf.add(x, scaled(run(norm.forward(x)), scale)) : run(norm.forward(x), x);
  }
}

const scaled = (x: tf.Tensor3D, scale: Parameter | undefined): tf.Tensor3D =>
  scale ? tf.mul(x, scale.value) : x;
