import { parseConfig, sizeSchema as size } from '@mmllm/core';
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
import {
  type GatedConfig,
  gatedFromHuggingFace,
  gatedKeys,
  huggingFaceGated,
  intermediateSizeOf,
} from '../shared/gated';

const schema = z.strictObject({
  ...decoderKeys(),
  ...gatedKeys(),
  numExperts: size,
  numExpertsPerToken: size,
  numSharedExperts: z.int().nonnegative().default(0),
  attentionBias: z.boolean().default(false),
  mlpBias: z.boolean().default(false),
});

/** `intermediateSize` is that of each expert, and `activation` that of the shared ones: the others have SiLU. */
export interface AriaMoeConfig extends DecoderConfig, GatedConfig {
  readonly numExperts: number;
  readonly numExpertsPerToken: number;
  /** Experts that every token goes to, together one MLP of so many times the width. Default 0. */
  readonly numSharedExperts?: number;
  /** Biases of the four linear layers of attention. Default false. */
  readonly attentionBias?: boolean;
  /** Biases of the shared experts. Default false. */
  readonly mlpBias?: boolean;
}

/** @throws ConfigError for a value outside its range. */
export function parseAriaMoe(config: AriaMoeConfig) {
  const parsed = parseConfig('aria-moe', schema, config);
  return { ...parsed, intermediateSize: intermediateSizeOf(parsed) };
}

/** `AriaTextConfig` of transformers. */
const huggingFaceSchema = z.object({
  ...huggingFaceKeys({
    vocabSize: 32_000,
    hiddenSize: 4096,
    intermediateSize: 4096,
    numLayers: 32,
    numHeads: 32,
    maxLength: 2048,
  }),
  ...huggingFaceGated(),
  moe_num_experts: size.default(8),
  moe_topk: size.default(2),
  moe_num_shared_experts: z.int().nonnegative().default(2),
  ...huggingFaceBiases,
});

/**
 * Reads the `config.json` of Aria's decoder in transformers, or the `text_config` of the whole model's.
 * @throws ConfigError for an unknown `rope_type` or `hidden_act`, or a value of the wrong kind.
 */
export function ariaMoeConfigFromHuggingFace(json: Readonly<Record<string, unknown>>): AriaMoeConfig {
  const config = parseHuggingFace('aria-moe', huggingFaceSchema, json);
  return {
    ...configFromHuggingFace(config),
    ...gatedFromHuggingFace(config),
    numExperts: config.moe_num_experts,
    numExpertsPerToken: config.moe_topk,
    numSharedExperts: config.moe_num_shared_experts,
    ...biasesFromHuggingFace(config),
  };
}
