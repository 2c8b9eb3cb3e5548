import { Module, normal, Parameter } from '@mmllm/core';
import { Attention, LayerNorm, Mlp } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { ResolvedMllamaConfig } from './config';

/**
 * A layer without biases in its attention. In a gated one `x += tanh(gate) · attention(norm(x))`, and the MLP likewise
 * with a gate of its own.
 */
export class MllamaBlock extends Module {
  readonly attentionNorm: LayerNorm;
  readonly selfAttention: Attention;
  readonly mlpNorm: LayerNorm;
  readonly mlp: Mlp;
  /** float32[1] each. */
  readonly attentionGate?: Parameter;
  readonly mlpGate?: Parameter;

  constructor(config: ResolvedMllamaConfig, { gated }: { gated: boolean }) {
    super();
    const { hiddenSize, numHeads, intermediateSize, activation, layerNormEps } = config;
    const initializer = normal(config.initializerRange);
    this.attentionNorm = new LayerNorm(hiddenSize, layerNormEps);
    this.selfAttention = new Attention({
      hiddenSize,
      numHeads,
      qkvBias: false,
      outBias: false,
      initializer,
    });
    this.mlpNorm = new LayerNorm(hiddenSize, layerNormEps);
    this.mlp = new Mlp({ hiddenSize, intermediateSize, activation, initializer });
    if (!gated) return;
    this.attentionGate = new Parameter([1], { initializer });
    this.mlpGate = new Parameter([1], { initializer });
  }

  /**
   * float32[1, T, hiddenSize] to the same shape.
   * @param numReal how many tokens are picture, the first ones; the others, at least one, are padding.
   */
  forward(x: tf.Tensor3D, numReal: number): tf.Tensor3D {
    const attended: tf.Tensor3D = tf.add(x, opened(this.attend(x, numReal), this.attentionGate));
    return tf.add(attended, opened(this.mlp.forward(this.mlpNorm.forward(attended)), this.mlpGate));
  }

  /**
   * Only padding does not see padding; tokens of the picture see all (`build_encoder_attention_mask` in Meta's code).
   * So the two kinds of queries attend apart, over the same keys, and no mask of [T, T] is needed.
   */
  private attend(x: tf.Tensor3D, numReal: number): tf.Tensor3D {
    const { selfAttention } = this;
    const rule = { causal: false };
    const normed = this.attentionNorm.forward(x);
    const keyValues = selfAttention.keyValues(normed);
    const real = tf.slice3d(normed, [0, 0, 0], [-1, numReal, -1]);
    const padding = tf.slice3d(normed, [0, numReal, 0], [-1, -1, -1]);
    return tf.concat3d(
      [
        selfAttention.attend(real, keyValues, { rule }),
        selfAttention.attend(padding, { ...keyValues, numKeys: numReal }, { rule }),
      ],
      1,
    );
  }
}

function opened(x: tf.Tensor3D, gate: Parameter | undefined): tf.Tensor3D {
  return gate ? tf.mul(x, tf.tanh(gate.value)) : x;
}
