import { ConfigError, parseConfig } from '@mmllm/core';
import type { Activation } from '@mmllm/nn';
import { z } from 'zod';
import {
  activation,
  configFromHuggingFace,
  type DecoderConfig,
  decoderKeys,
  headSizeOf,
  hiddenAct,
  huggingFaceKeys,
  parseHuggingFace,
  positive,
} from '../shared/config';
import { ropeFromHuggingFace } from '../shared/rope-config';

const schema = z.strictObject({
  ...decoderKeys(),
  layerNormEps: positive.default(1e-5),
  activation: activation.default('relu2'),
  rotaryShare: positive.max(1).default(0.5),
  headNorms: z.boolean().default(true),
});

export interface PersimmonConfig extends Omit<DecoderConfig, 'numKeyValueHeads' | 'headSize'> {
  /** Default 1e-5. */
  readonly layerNormEps?: number;
  /** Of the MLP. Default `relu2`. */
  readonly activation?: Activation;
  /** The part of each head that turns, its first values. Default 0.5. */
  readonly rotaryShare?: number;
  /** A LayerNorm over each head of queries and keys. Default true. */
  readonly headNorms?: boolean;
}

/** @throws ConfigError also where no whole number of pairs turns. */
export function parsePersimmon(config: PersimmonConfig) {
  const parsed = parseConfig('persimmon', schema, config);
  const turning = headSizeOf('persimmon', parsed) * parsed.rotaryShare;
  if (turning % 2 === 0) return parsed;
  throw new ConfigError({
    component: 'persimmon.rotaryShare',
    expected: 'an even number of values of each head that turn',
    actual: `${turning}`,
  });
}

/** `PersimmonConfig` of transformers. */
const huggingFaceSchema = z.object({
  ...huggingFaceKeys({
    vocabSize: 262_144,
    hiddenSize: 4096,
    intermediateSize: 16_384,
    numLayers: 36,
    numHeads: 64,
    maxLength: 16_384,
  }),
  hidden_act: hiddenAct('relu2'),
  layer_norm_eps: positive.default(1e-5),
  qk_layernorm: z.boolean().default(true),
  partial_rotary_factor: positive.max(1).default(0.5),
});

/**
 * Reads the `config.json` of a Persimmon of transformers, or the `text_config` of Fuyu.
 * @throws ConfigError for an unknown `rope_type` or `hidden_act`, or a value of the wrong kind.
 */
export function persimmonConfigFromHuggingFace(json: Readonly<Record<string, unknown>>): PersimmonConfig {
  const config = parseHuggingFace('persimmon', huggingFaceSchema, json);
  // Its heads are as many for keys and values, and as wide as the hidden size makes them.
  const { numKeyValueHeads, headSize, ...shared } = configFromHuggingFace(config);
  return {
    ...shared,
    layerNormEps: config.layer_norm_eps,
    activation: config.hidden_act,
    rotaryShare: ropeFromHuggingFace(config).rotaryShare ?? config.partial_rotary_factor,
    headNorms: config.qk_layernorm,
  };
}
