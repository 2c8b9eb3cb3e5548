import { type Initializer, Module, ones, Parameter } from '@mmllm/core';
import { Attention, LayerNorm, Mlp, type Norm, RmsNorm, TransformerBlock } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import type { EncoderBlockOptions } from '../shared/encoder-block';

export interface InternVitBlockOptions extends EncoderBlockOptions {
  readonly norm: 'rms' | 'layer';
  readonly qkNorm: boolean;
  readonly qkvBias: boolean;
  readonly numDummyHeads: number;
  readonly layerScale: number;
}

/** transformers' code and OpenGVLab's have this whatever `layer_norm_eps` says. */
const QK_NORM_EPS = 1e-6;

/** One block of InternViT. */
export function internVitBlock(options: InternVitBlockOptions, initializer: Initializer): TransformerBlock {
  const { hiddenSize, numHeads, intermediateSize, activation, numDummyHeads } = options;
  const norm = (): Norm =>
    options.norm === 'rms'
      ? new RmsNorm(hiddenSize, { eps: options.layerNormEps })
      : new LayerNorm(hiddenSize, options.layerNormEps);
  const channelNorm = (channels: number): Norm =>
    numDummyHeads > 0
      ? new LeadingRmsNorm(channels, hiddenSize)
      : new RmsNorm(channels, { eps: QK_NORM_EPS });
  return new TransformerBlock({
    attentionNorm: norm(),
    selfAttention: new Attention({
      hiddenSize,
      numHeads: numHeads + numDummyHeads,
      headSize: hiddenSize / numHeads,
      qkvBias: options.qkvBias,
      channelNorm: options.qkNorm ? channelNorm : undefined,
      initializer,
    }),
    mlpNorm: norm(),
    mlp: new Mlp({ hiddenSize, intermediateSize, activation, initializer }),
    layerScale: { size: hiddenSize, initial: options.layerScale },
  });
}

/** An RMSNorm of all channels by the mean square of the leading ones, those of heads that are none of the dummies. */
class LeadingRmsNorm extends Module implements Norm {
  readonly weight: Parameter;

  constructor(
    channels: number,
    private readonly leading: number,
  ) {
    super();
    this.weight = new Parameter([channels], { initializer: ones });
  }

  /** float32[…, channels] to the same shape. */
  forward<T extends tf.Tensor>(x: T): T {
    return tf.tidy(() => {
      const counted = tf.slice(x, new Array(x.rank).fill(0), [...x.shape.slice(0, -1), this.leading]);
      const meanSquare = tf.mean(tf.square(counted), -1, true);
      return tf.mul(tf.mul(x, tf.rsqrt(tf.add(meanSquare, QK_NORM_EPS))), this.weight.value) as T;
    });
  }
}
