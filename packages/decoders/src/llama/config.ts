import { MAX_SIZE } from '@mmllm/core';
import { z } from 'zod';
import {
  biasesFromHuggingFace,
  configFromHuggingFace,
  type DecoderConfig,
  decoderKeys,
  huggingFaceBiases,
  huggingFaceKeys,
  parseHuggingFace,
} from '../shared/config';
import { type GatedConfig, gatedFromHuggingFace, gatedKeys, huggingFaceGated } from '../shared/gated';

export const llamaSchema = z.strictObject({
  ...decoderKeys(),
  ...gatedKeys(),
  numExtraEmbeddings: z.int().nonnegative().max(MAX_SIZE).default(0),
  attentionBias: z.boolean().default(false),
  mlpBias: z.boolean().default(false),
});

export interface LlamaConfig extends DecoderConfig, GatedConfig {
  /** Rows of the embedding beyond the vocabulary, for tokens that are never predicted: Llama 3.2 Vision has 8. Default 0. */
  readonly numExtraEmbeddings?: number;
  /** Biases of the four linear layers of attention. Default false. */
  readonly attentionBias?: boolean;
  /** Biases of the three linear layers of the MLP. Default false. */
  readonly mlpBias?: boolean;
}

/** `LlamaConfig` of transformers. */
const huggingFaceSchema = z.object({
  ...huggingFaceKeys({
    vocabSize: 32_000,
    hiddenSize: 4096,
    intermediateSize: 11_008,
    numLayers: 32,
    numHeads: 32,
    maxLength: 2048,
  }),
  ...huggingFaceGated(),
  ...huggingFaceBiases,
});

/**
 * Reads the `config.json` of a Llama of transformers, or the `text_config` of a larger model's.
 * @throws ConfigError for an unknown `rope_type` or `hidden_act`, or a value of the wrong kind.
 */
export function llamaConfigFromHuggingFace(json: Readonly<Record<string, unknown>>): LlamaConfig {
  const config = parseHuggingFace('llama', huggingFaceSchema, json);
  return {
    ...configFromHuggingFace(config),
    ...gatedFromHuggingFace(config),
    ...biasesFromHuggingFace(config),
  };
}
