import { parseConfig } from '@mmllm/core';
import type { RopeScaling } from '@mmllm/nn';
import { z } from 'zod';
import { huggingFaceRope, ropeFromHuggingFace, ropeScalingSchema } from '../shared/rope-config';

const size = z.int().positive();

export const llamaSchema = z.strictObject({
  vocabSize: size,
  hiddenSize: size,
  numLayers: size,
  numHeads: size,
  numKeyValueHeads: size.optional(),
  headSize: size.optional(),
  intermediateSize: size.optional(),
  ropeTheta: z.number().positive().default(10_000),
  ropeScaling: ropeScalingSchema.optional(),
  rmsNormEps: z.number().positive().default(1e-6),
  maxLength: size.default(2048),
  tieWordEmbeddings: z.boolean().default(false),
  numExtraEmbeddings: z.int().nonnegative().default(0),
  attentionBias: z.boolean().default(false),
  mlpBias: z.boolean().default(false),
  initializerRange: z.number().nonnegative().default(0.02),
  embeddingRange: z.number().nonnegative().optional(),
});

export interface LlamaConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Grouped-query attention: fewer heads for keys and values. Default numHeads. */
  readonly numKeyValueHeads?: number;
  /** Default hiddenSize / numHeads. Must be even. */
  readonly headSize?: number;
  /** Default: 8/3 · hiddenSize, rounded up to a multiple of 256, as in Meta's code. */
  readonly intermediateSize?: number;
  /** Base of the rotation's wavelengths. Default 10 000. */
  readonly ropeTheta?: number;
  /** How its frequencies are stretched beyond the length of the first training. Default: not at all. */
  readonly ropeScaling?: RopeScaling;
  /** Default 1e-6. */
  readonly rmsNormEps?: number;
  /** Longest sequence, prompt and answer together. Default 2048. */
  readonly maxLength?: number;
  /** The table of the embedding is the head as well. Default false. */
  readonly tieWordEmbeddings?: boolean;
  /** Rows of the embedding beyond the vocabulary, for tokens that are never predicted: Llama 3.2 Vision has 8. Default 0. */
  readonly numExtraEmbeddings?: number;
  /** Biases of the four linear layers of attention. Default false. */
  readonly attentionBias?: boolean;
  /** Biases of the three linear layers of the MLP. Default false. */
  readonly mlpBias?: boolean;
  /** Standard deviation of the first weights. Default 0.02. */
  readonly initializerRange?: number;
  /** The same for the embedding. Default: initializerRange. */
  readonly embeddingRange?: number;
}

/** What transformers' `config.json` may hold, with the values that it takes for absent keys. */
const huggingFaceSchema = z.object({
  vocab_size: size.default(32_000),
  hidden_size: size.default(4096),
  num_hidden_layers: size.default(32),
  num_attention_heads: size.default(32),
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  intermediate_size: size.default(11_008),
  rms_norm_eps: z.number().positive().default(1e-6),
  max_position_embeddings: size.default(2048),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  initializer_range: z.number().nonnegative().default(0.02),
  hidden_act: z.literal('silu').default('silu'),
  ...huggingFaceRope,
});

/**
 * Reads the `config.json` of a Llama of transformers, or the `text_config` of a larger model's.
 * @throws ConfigError for an unknown `rope_type` or `hidden_act`, or a value of the wrong kind.
 */
export function llamaConfigFromHuggingFace(json: Readonly<Record<string, unknown>>): LlamaConfig {
  const config = parseConfig('llama config.json', huggingFaceSchema, json);
  return {
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    numLayers: config.num_hidden_layers,
    numHeads: config.num_attention_heads,
    numKeyValueHeads: config.num_key_value_heads ?? undefined,
    headSize: config.head_dim ?? undefined,
    intermediateSize: config.intermediate_size,
    ...ropeFromHuggingFace(config),
    rmsNormEps: config.rms_norm_eps,
    maxLength: config.max_position_embeddings,
    tieWordEmbeddings: config.tie_word_embeddings,
    attentionBias: config.attention_bias,
    mlpBias: config.mlp_bias,
    initializerRange: config.initializer_range,
  };
}
