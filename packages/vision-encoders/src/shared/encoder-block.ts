import type { Initializer } from '@mmllm/core';
import { type Activation, Attention, LayerNorm, Mlp, TransformerBlock } from '@mmllm/nn';

export interface EncoderBlockOptions {
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly intermediateSize: number;
  readonly activation: Activation;
  readonly layerNormEps: number;
}

/** First values of a block's weights; biases start at zero, norms at the identity. */
export interface BlockInitializers {
  readonly attention: Initializer;
  readonly mlp: Initializer;
}

/** The block that ViT, CLIP and SigLIP share, in both towers: pre-norm, LayerNorm, biases everywhere. */
export function encoderBlock(options: EncoderBlockOptions, init: BlockInitializers): TransformerBlock {
  const { hiddenSize, numHeads, intermediateSize, activation, layerNormEps } = options;
  return new TransformerBlock({
    attentionNorm: new LayerNorm(hiddenSize, layerNormEps),
    selfAttention: new Attention({ hiddenSize, numHeads, initializer: init.attention }),
    mlpNorm: new LayerNorm(hiddenSize, layerNormEps),
    mlp: new Mlp({ hiddenSize, intermediateSize, activation, initializer: init.mlp }),
  });
}
