import { type Decoder, parseConfig } from '@mmllm/core';
import { z } from 'zod';
import { buildDecoder } from '../shared/build';
import {
  configFromHuggingFace,
  type DecoderCheckpoint,
  type DecoderConfig,
  decoderKeys,
  huggingFaceKeys,
  parseHuggingFace,
} from '../shared/config';
import {
  type GatedConfig,
  gatedFromHuggingFace,
  gatedKeys,
  gatedLayers,
  huggingFaceGated,
} from '../shared/gated';
import { llamaNames } from '../shared/names';

const schema = z.strictObject({
  ...decoderKeys({ tieWordEmbeddings: true }),
  ...gatedKeys('gelu_tanh'),
  attentionBias: z.boolean().default(false),
});

export interface GemmaConfig extends DecoderConfig, GatedConfig {
  /** Biases of the four linear layers of attention. Default false. */
  readonly attentionBias?: boolean;
}

/**
 * Gemma (Gemma Team 2024, arXiv:2403.08295): norms that scale by 1 + weight, GeGLU, embeddings times √hiddenSize, one
 * table for embedding and head. `embed` gives scaled ones; features of pictures stand beside them as they are, as
 * PaliGemma has it. Born shape-only.
 * @throws ConfigError for values outside their range, or heads that do not divide.
 */
function build(config: GemmaConfig): Decoder {
  const parsed = parseConfig('gemma', schema, config);
  return buildDecoder(parsed, {
    name: 'gemma',
    ...gatedLayers(parsed, { normOffset: 1 }),
    attention: { qkvBias: parsed.attentionBias, outBias: parsed.attentionBias },
    embeddingScale: Math.sqrt(parsed.hiddenSize),
  });
}

/** `GemmaConfig` of transformers. */
const huggingFaceSchema = z.object({
  ...huggingFaceKeys({
    vocabSize: 256_000,
    hiddenSize: 3072,
    intermediateSize: 24_576,
    numLayers: 28,
    numHeads: 16,
    numKeyValueHeads: 16,
    maxLength: 8192,
  }),
  ...huggingFaceGated({ activation: 'gelu_tanh' }),
  head_dim: z.int().positive().default(256),
  tie_word_embeddings: z.boolean().default(true),
  attention_bias: z.boolean().default(false),
  use_bidirectional_attention: z.literal(false).nullish(),
});

/** The first published files say `gelu` and mean its approximation, as transformers takes it. */
function configFromFile(json: Readonly<Record<string, unknown>>): GemmaConfig {
  const config = parseHuggingFace('gemma', huggingFaceSchema, json);
  const gate = gatedFromHuggingFace(config);
  return {
    ...configFromHuggingFace(config),
    ...gate,
    activation: gate.activation === 'gelu' ? 'gelu_tanh' : gate.activation,
    attentionBias: config.attention_bias,
  };
}

/** As `GemmaForCausalLM`. */
const checkpoint = {
  config: configFromFile,
  names: () => llamaNames,
} satisfies DecoderCheckpoint<GemmaConfig>;

export const gemma = Object.assign(build, { checkpoint });
