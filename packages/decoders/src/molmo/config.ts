import { ConfigError, layersSchema, MAX_SIZE, parseConfig, sizeSchema as size } from '@mmllm/core';
import { z } from 'zod';
import { checkExtraEmbeddings } from '../llama/build';
import { type DecoderConfig, decoderKeys, parseHuggingFace, positive } from '../shared/config';
import { type GatedConfig, gatedKeys, intermediateSizeOf } from '../shared/gated';

const schema = z.strictObject({
  ...decoderKeys(),
  ...gatedKeys(),
  numExtraEmbeddings: z.int().nonnegative().max(MAX_SIZE).default(0),
  qkvBias: z.boolean().default(false),
  channelNorms: z.boolean().default(false),
  norms: z.enum(['before', 'after']).default('before'),
});

export interface MolmoConfig extends DecoderConfig, GatedConfig {
  /** Rows of the embedding beyond the vocabulary, for tokens that are never predicted. Default 0; published ones have 128. */
  readonly numExtraEmbeddings?: number;
  /** Biases of queries, keys and values, as Qwen2 has them (Molmo-7B-D, 72B). Default false. */
  readonly qkvBias?: boolean;
  /** RMSNorm over all channels of queries and of keys (Molmo-7B-O). Default false. */
  readonly channelNorms?: boolean;
  /** Where the norms of a layer stand: behind its branches in OLMo's way (Molmo-7B-O). Default `before`. */
  readonly norms?: 'before' | 'after';
}

export type FilledMolmoConfig = ReturnType<typeof parseMolmo>;

/** @throws ConfigError for a value outside its range. */
export function parseMolmo(config: MolmoConfig) {
  const parsed = parseConfig('molmo', schema, config);
  checkExtraEmbeddings('molmo', parsed.numExtraEmbeddings, parsed.tieWordEmbeddings);
  return { ...parsed, intermediateSize: intermediateSizeOf(parsed) };
}

/** The keys of `MolmoConfig` that speak of the decoder, with the values that its code takes for absent ones. */
const fileSchema = z.object({
  vocab_size: size.default(50_304),
  /** Rows of the table and of the head, where the vocabulary was rounded up. */
  embedding_size: size.nullish(),
  /** Published files leave it out: the code has it. */
  additional_vocab_size: z.int().nonnegative().max(MAX_SIZE).default(128),
  hidden_size: size.default(4096),
  /** Of both halves of the joint projection. */
  intermediate_size: size.multipleOf(2).default(11_008),
  num_hidden_layers: layersSchema.default(32),
  num_attention_heads: size.default(32),
  num_key_value_heads: size.nullish(),
  max_position_embeddings: size.default(2048),
  initializer_range: z.number().nonnegative().default(0.02),
  layer_norm_eps: positive.default(1e-5),
  layer_norm_type: z.literal('rms').default('rms'),
  qkv_bias: z.boolean().default(false),
  attention_layer_norm: z.boolean().default(false),
  norm_after: z.boolean().default(false),
  clip_qkv: z.null().default(null),
  rope_theta: positive.default(10_000),
  weight_tying: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
});

/**
 * Reads the decoder's part of a Molmo's `config.json`.
 * @throws ConfigError for clipped projections, another norm than RMSNorm, or a value of the wrong kind.
 */
export function molmoConfigFromFile(json: Readonly<Record<string, unknown>>): MolmoConfig {
  const config = parseHuggingFace('molmo', fileSchema, json);
  if (config.weight_tying !== config.tie_word_embeddings) {
    throw new ConfigError({
      component: 'molmo config.json.weight_tying',
      expected: 'the same as tie_word_embeddings',
      actual: `${config.weight_tying} and ${config.tie_word_embeddings}`,
    });
  }
  return {
    vocabSize: config.embedding_size ?? config.vocab_size,
    numExtraEmbeddings: config.additional_vocab_size,
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size / 2,
    numLayers: config.num_hidden_layers,
    numHeads: config.num_attention_heads,
    numKeyValueHeads: config.num_key_value_heads ?? undefined,
    maxLength: config.max_position_embeddings,
    initializerRange: config.initializer_range,
    rmsNormEps: config.layer_norm_eps,
    activation: 'silu',
    qkvBias: config.qkv_bias,
    channelNorms: config.attention_layer_norm,
    norms: config.norm_after ? 'after' : 'before',
    ropeTheta: config.rope_theta,
    tieWordEmbeddings: config.tie_word_embeddings,
  };
}
