import { parseConfig, sizeSchema as size } from '@mmllm/core';
import { z } from 'zod';
import {
  configFromHuggingFace,
  type DecoderConfig,
  decoderKeys,
  huggingFaceKeys,
  parseHuggingFace,
} from '../shared/config';
import { type GatedConfig, gatedFromHuggingFace, gatedKeys, huggingFaceGated } from '../shared/gated';

const schema = z.strictObject({ ...decoderKeys(), ...gatedKeys(), slidingWindow: size.optional() });

export interface MistralConfig extends DecoderConfig, GatedConfig {
  /** How many latest tokens each one sees, itself included. Default: all. */
  readonly slidingWindow?: number;
}

export const parseMistral = (config: MistralConfig) => parseConfig('mistral', schema, config);

/** `MistralConfig` of transformers. */
const huggingFaceSchema = z.object({
  ...huggingFaceKeys({
    vocabSize: 32_000,
    hiddenSize: 4096,
    intermediateSize: 14_336,
    numLayers: 32,
    numHeads: 32,
    numKeyValueHeads: 8,
    maxLength: 131_072,
  }),
  ...huggingFaceGated(),
  sliding_window: size.nullable().default(4096),
});

/**
 * Reads the `config.json` of a Mistral of transformers, or the `text_config` of a larger model's. An absent
 * `sliding_window` is one of 4096; `null` is none, as of Mistral NeMo.
 * @throws ConfigError for an unknown `rope_type` or `hidden_act`, or a value of the wrong kind.
 */
export function mistralConfigFromHuggingFace(json: Readonly<Record<string, unknown>>): MistralConfig {
  const config = parseHuggingFace('mistral', huggingFaceSchema, json);
  return {
    ...configFromHuggingFace(config),
    ...gatedFromHuggingFace(config),
    slidingWindow: config.sliding_window ?? undefined,
  };
}
