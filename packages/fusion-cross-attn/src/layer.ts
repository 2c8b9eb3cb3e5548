import { type AttentionRule, Module, normal, Parameter, zeros } from '@mmllm/core';
import { Attention, GatedMlp, type KeyValues, RmsNorm } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { LayerConfig } from './config';

/** Who sees which pictures, for the T tokens of each sample in one forward pass. */
export interface Sight {
  readonly rule: AttentionRule;
  /** float32[B · T]: 0 for a token that sees no picture, else 1. Absent: all see some. */
  readonly seeing?: Float32Array;
  /** Such tokens get what they attend to all the same, and only skip the MLP. Default: they skip both. */
  readonly blindAttend?: boolean;
}

/**
 * `x += tanh(a) · attention(norm(x), pictures); x += tanh(b) · mlp(norm(x))`, as in Llama 3.2 Vision (Grattafiori et
 * al. 2024, arXiv:2407.21783), with a norm over each head of queries and keys, unless left out, and without rotary positions. The
 * gates a and b (Flamingo, Alayrac et al. 2022, arXiv:2204.14198) are zero at first, which leaves x as it is.
 */
export class GatedCrossAttention extends Module {
  readonly attentionNorm: RmsNorm;
  readonly crossAttention: Attention;
  readonly attentionGate = new Parameter([1], { initializer: zeros });
  readonly mlpNorm: RmsNorm;
  readonly mlp: GatedMlp;
  readonly mlpGate = new Parameter([1], { initializer: zeros });

  constructor(config: LayerConfig) {
    super();
    const { hiddenSize, numHeads, numKeyValueHeads, intermediateSize, rmsNormEps: eps } = config;
    const initializer = normal(config.initializerRange);
    this.attentionNorm = new RmsNorm(hiddenSize, { eps });
    this.crossAttention = new Attention({
      hiddenSize,
      numHeads,
      numKeyValueHeads,
      qkvBias: false,
      outBias: false,
      headNorm: config.headNorm ? (headSize) => new RmsNorm(headSize, { eps }) : undefined,
      initializer,
    });
    this.mlpNorm = new RmsNorm(hiddenSize, { eps });
    this.mlp = new GatedMlp({ hiddenSize, intermediateSize, activation: 'silu', initializer });
  }

  /** Of the pictures' features float32[B, S, hiddenSize]. */
  keyValues(source: tf.Tensor3D): KeyValues {
    return this.crossAttention.keyValues(source);
  }

  /** float32[B, T, hiddenSize] to the same shape. */
  forward(x: tf.Tensor3D, pictures: KeyValues, { rule, seeing, blindAttend }: Sight): tf.Tensor3D {
    const [batch, length] = x.shape;
    const rows = seeing && tf.tensor3d(seeing, [batch, length, 1]);
    const opened = (branch: tf.Tensor3D, gate: Parameter, only?: tf.Tensor3D): tf.Tensor3D => {
      const factor = tf.tanh(gate.value);
      return tf.mul(branch, only ? tf.mul(only, factor) : factor);
    };
    const attended = this.crossAttention.attend(this.attentionNorm.forward(x), pictures, { rule });
    const y = tf.add(x, opened(attended, this.attentionGate, blindAttend ? undefined : rows)) as tf.Tensor3D;
    return tf.add(y, opened(this.mlp.forward(this.mlpNorm.forward(y)), this.mlpGate, rows)) as tf.Tensor3D;
  }
}
