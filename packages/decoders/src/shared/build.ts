import { type Decoder, normal } from '@mmllm/core';
import {
  Attention,
  type AttentionOptions,
  Embedding,
  type FeedForward,
  Linear,
  type Norm,
  TransformerBlock,
} from '@mmllm/nn';
import { type FilledConfig, headSizeOf } from './config';
import { type DecoderParts, TransformerDecoder } from './decoder';

/** What a family adds to the shared configuration. */
export interface DecoderPlan extends Pick<DecoderParts, 'embeddingScale' | 'windows' | 'routingLosses'> {
  readonly name: string;
  norm(): Norm;
  /** The feed-forward half of each layer. */
  mlp(layer: number): FeedForward;
  /** Biases and norms of attention. Default: no biases, no norms. */
  readonly attention?: Pick<AttentionOptions, 'qkvBias' | 'outBias' | 'headNorm' | 'channelNorm'>;
  /** Where the norms of a layer stand. Default `before` its branches. */
  readonly norms?: 'before' | 'after';
  /** The part of each head that turns. Default 1. */
  readonly rotaryShare?: number;
  /** How many of its frequencies turn by each axis of the positions. Default: there is one axis. */
  readonly ropeSections?: readonly number[];
  /** Rows of the embedding that the head does not have. Default 0. */
  readonly numExtraEmbeddings?: number;
}

/** Puts a decoder together, shape-only. */
export function buildDecoder(config: FilledConfig, plan: DecoderPlan): Decoder {
  const { vocabSize, hiddenSize, numLayers, numHeads, numKeyValueHeads, maxLength } = config;
  const headSize = headSizeOf(plan.name, config);
  const initializer = normal(config.initializerRange);
  const block = (_: unknown, layer: number) =>
    new TransformerBlock({
      attentionNorm: plan.norm(),
      selfAttention: new Attention({
        hiddenSize,
        numHeads,
        numKeyValueHeads,
        headSize,
        qkvBias: false,
        outBias: false,
        ...plan.attention,
        initializer,
      }),
      mlpNorm: plan.norm(),
      mlp: plan.mlp(layer),
      norms: plan.norms,
    });
  return new TransformerDecoder({
    ...plan,
    hiddenSize,
    vocabSize,
    maxLength,
    embedTokens: new Embedding(
      vocabSize + (plan.numExtraEmbeddings ?? 0),
      hiddenSize,
      normal(config.embeddingRange ?? config.initializerRange),
    ),
    layers: Array.from({ length: numLayers }, block),
    norm: plan.norm(),
    head: config.tieWordEmbeddings
      ? undefined
      : new Linear(hiddenSize, vocabSize, { bias: false, initializer }),
    rotary: {
      dim: headSize * (plan.rotaryShare ?? 1),
      theta: config.ropeTheta,
      scaling: config.ropeScaling,
      sections: plan.ropeSections,
    },
  });
}
