import type { NameMap } from '@mmllm/checkpoints';
import { ConfigError, layersSchema, parseConfig, sizeSchema as size } from '@mmllm/core';
import { ACTIVATIONS, activationNamed, type RopeScaling } from '@mmllm/nn';
import { z } from 'zod';
import { huggingFaceRope, ropeFromHuggingFace, ropeScalingSchema } from './rope-config';

/** What every decoder takes. */
export interface DecoderConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Grouped-query attention: fewer heads for keys and values. Default numHeads. */
  readonly numKeyValueHeads?: number;
  /** Default hiddenSize / numHeads. Must be even. */
  readonly headSize?: number;
  /** Width inside of the MLP. Default of a gated one: 8/3 · hiddenSize, rounded up to a multiple of 256, as in Meta's code. */
  readonly intermediateSize?: number;
  /** Base of the rotation's wavelengths. Default 10 000. */
  readonly ropeTheta?: number;
  /** How its frequencies are stretched beyond the length of the first training. Default: not at all. */
  readonly ropeScaling?: RopeScaling;
  /** Longest sequence, prompt and answer together. Default 2048. */
  readonly maxLength?: number;
  /** The table of the embedding is the head as well. Default false, of Gemma true. */
  readonly tieWordEmbeddings?: boolean;
  /** Standard deviation of the first weights. Default 0.02. */
  readonly initializerRange?: number;
  /** The same for the embedding. Default: initializerRange. */
  readonly embeddingRange?: number;
}

export const positive = z.number().positive();
export const activation = z.enum(ACTIVATIONS);

/** The keys of `DecoderConfig`, for a strict object to which a family adds its own. */
export const decoderKeys = ({ ropeTheta = 10_000, tieWordEmbeddings = false } = {}) => ({
  vocabSize: size,
  hiddenSize: size,
  numLayers: layersSchema,
  numHeads: size,
  numKeyValueHeads: size.optional(),
  headSize: size.optional(),
  intermediateSize: size.optional(),
  ropeTheta: positive.default(ropeTheta),
  ropeScaling: ropeScalingSchema.optional(),
  maxLength: size.default(2048),
  tieWordEmbeddings: z.boolean().default(tieWordEmbeddings),
  initializerRange: z.number().nonnegative().default(0.02),
  embeddingRange: z.number().nonnegative().optional(),
});

/** A configuration with every default filled in. */
export type FilledConfig = z.output<z.ZodObject<ReturnType<typeof decoderKeys>>>;

/** @throws ConfigError unless the halves of a head can turn. */
export function headSizeOf(name: string, { headSize, hiddenSize, numHeads }: FilledConfig): number {
  const found = headSize ?? hiddenSize / numHeads;
  if (found % 2 === 0) return found;
  throw new ConfigError({
    component: name,
    expected: 'an even head size (default: hiddenSize / numHeads)',
    actual: `${found}`,
  });
}

/** How a decoder is written in Hugging Face's format, or in that of whoever published it. */
export interface DecoderCheckpoint<Config> {
  /**
   * Our configuration from a parsed `config.json`, or the `text_config` of a larger model's. Values that the file leaves
   * out are those of the published class.
   * @throws ConfigError for a value that is outside the known set.
   */
  config(json: Readonly<Record<string, unknown>>): Config;
  /** The names of the parameters in a file, for `loadWeights` and `saveWeights`. */
  names(config: Config): NameMap;
}

/** The values that a class of transformers takes for absent keys. */
export interface HuggingFaceDefaults {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numKeyValueHeads?: number;
  readonly maxLength: number;
}

/** What the `config.json` of any decoder holds. */
export const huggingFaceKeys = (defaults: HuggingFaceDefaults) => ({
  vocab_size: size.default(defaults.vocabSize),
  hidden_size: size.default(defaults.hiddenSize),
  intermediate_size: size.default(defaults.intermediateSize),
  num_hidden_layers: layersSchema.default(defaults.numLayers),
  num_attention_heads: size.default(defaults.numHeads),
  num_key_value_heads: size.nullable().default(defaults.numKeyValueHeads ?? null),
  head_dim: size.nullish(),
  max_position_embeddings: size.default(defaults.maxLength),
  tie_word_embeddings: z.boolean().default(false),
  initializer_range: z.number().nonnegative().default(0.02),
  ...huggingFaceRope,
});

/** `hidden_act`, by our names. */
export const hiddenAct = (usual = 'silu') =>
  z
    .string()
    .max(100)
    .default(usual)
    .transform((name) => activationNamed(name) ?? name)
    .pipe(activation);

/** Biases as the LLaMA classes of transformers write them. */
export const huggingFaceBiases = {
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
};

/** The same by our names. */
export const biasesFromHuggingFace = (config: { attention_bias: boolean; mlp_bias: boolean }) => ({
  attentionBias: config.attention_bias,
  mlpBias: config.mlp_bias,
});

type HuggingFaceConfig = z.output<z.ZodObject<ReturnType<typeof huggingFaceKeys>>>;

/** The shared values by our names. @param ropeTheta what the class takes where the file says none */
export function configFromHuggingFace(config: HuggingFaceConfig, ropeTheta = 10_000): DecoderConfig {
  const rope = ropeFromHuggingFace(config);
  return {
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    numLayers: config.num_hidden_layers,
    numHeads: config.num_attention_heads,
    numKeyValueHeads: config.num_key_value_heads ?? undefined,
    headSize: config.head_dim ?? undefined,
    intermediateSize: config.intermediate_size,
    ropeTheta: rope.ropeTheta ?? ropeTheta,
    ropeScaling: rope.ropeScaling,
    maxLength: config.max_position_embeddings,
    tieWordEmbeddings: config.tie_word_embeddings,
    initializerRange: config.initializer_range,
  };
}

/** Parses what a file holds. */
export function parseHuggingFace<S extends z.ZodType>(
  family: string,
  schema: S,
  json: Readonly<Record<string, unknown>>,
): z.output<S> {
  // Whether it is what the schema takes is what is checked here.
  return parseConfig(`${family} config.json`, schema, json as z.input<S>);
}
