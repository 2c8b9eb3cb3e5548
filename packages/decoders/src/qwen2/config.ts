import { ConfigError, parseConfig, sizeSchema as size } from '@mmllm/core';
import { z } from 'zod';
import {
  configFromHuggingFace,
  type DecoderConfig,
  decoderKeys,
  headSizeOf,
  huggingFaceKeys,
  parseHuggingFace,
} from '../shared/config';
import { type GatedConfig, gatedFromHuggingFace, gatedKeys, huggingFaceGated } from '../shared/gated';
import { ropeFromHuggingFace } from '../shared/rope-config';

const schema = z.strictObject({
  ...decoderKeys(),
  ...gatedKeys(),
  slidingWindow: size.optional(),
  windowedLayers: z.array(z.int().nonnegative()).readonly().optional(),
  ropeSections: z.array(z.int().nonnegative()).length(3).readonly().optional(),
});

export interface Qwen2Config extends DecoderConfig, GatedConfig {
  /** How many latest tokens each one sees, itself included. Default: all. */
  readonly slidingWindow?: number;
  /** Which layers have the window. Default: all of them. */
  readonly windowedLayers?: readonly number[];
  /**
   * Multimodal RoPE: how many of the headSize / 2 frequencies turn by time, row and column (Wang et al. 2024,
   * arXiv:2409.12191). Default: positions have one axis.
   */
  readonly ropeSections?: readonly number[];
}

/** @throws ConfigError also for sections that do not add up, and layers that there are not. */
export function parseQwen2(config: Qwen2Config) {
  const parsed = parseConfig('qwen2', schema, config);
  const { ropeSections, windowedLayers, numLayers } = parsed;
  const frequencies = headSizeOf('qwen2', parsed) / 2;
  if (ropeSections && ropeSections.reduce((sum, count) => sum + count, 0) !== frequencies) {
    throw new ConfigError({
      component: 'qwen2.ropeSections',
      expected: `three numbers that add up to ${frequencies}, half of a head`,
      actual: `[${ropeSections.join(', ')}]`,
    });
  }
  const unknown = windowedLayers?.find((layer) => layer >= numLayers);
  if (unknown !== undefined) {
    throw new ConfigError({
      component: 'qwen2.windowedLayers',
      expected: `layers from 0 to ${numLayers - 1}`,
      actual: `${unknown}`,
    });
  }
  return parsed;
}

const published = {
  qwen2: {
    vocabSize: 151_936,
    hiddenSize: 4096,
    intermediateSize: 22_016,
    numLayers: 32,
    numHeads: 32,
    numKeyValueHeads: 32,
    maxLength: 32_768,
    eps: 1e-6,
    ropeTheta: 10_000,
    fullLayers: 28,
  },
  /** The text part of Qwen2-VL. */
  qwen2_vl: {
    vocabSize: 152_064,
    hiddenSize: 8192,
    intermediateSize: 29_568,
    numLayers: 80,
    numHeads: 64,
    numKeyValueHeads: 8,
    maxLength: 32_768,
    eps: 1e-5,
    ropeTheta: 1_000_000,
    fullLayers: 80,
  },
} as const;

const layerType = z.enum(['full_attention', 'sliding_attention']);

const huggingFaceSchema = (usual: (typeof published)[keyof typeof published]) =>
  z.object({
    ...huggingFaceKeys(usual),
    ...huggingFaceGated(usual),
    use_sliding_window: z.boolean().nullable().default(false),
    sliding_window: size.nullable().default(4096),
    max_window_layers: z.int().nonnegative().nullable().default(usual.fullLayers),
    layer_types: z.array(layerType).nullish(),
  });

const isOfQwen2Vl = ({ model_type }: Readonly<Record<string, unknown>>): boolean =>
  model_type === 'qwen2_vl_text' || model_type === 'qwen2_vl';

/**
 * Reads the `config.json` of a Qwen2 of transformers, or of Qwen2-VL: its text part, or the whole where older files do
 * not nest it.
 * @throws ConfigError for an unknown `rope_type` or `hidden_act`, or a value of the wrong kind.
 */
export function qwen2ConfigFromHuggingFace(json: Readonly<Record<string, unknown>>): Qwen2Config {
  const usual = published[isOfQwen2Vl(json) ? 'qwen2_vl' : 'qwen2'];
  const config = parseHuggingFace('qwen2', huggingFaceSchema(usual), json);
  const window = config.use_sliding_window ? (config.sliding_window ?? undefined) : undefined;
  return {
    ...configFromHuggingFace(config, usual.ropeTheta),
    ...gatedFromHuggingFace(config),
    ...(window && { slidingWindow: window, windowedLayers: windowedLayers(config) }),
    ropeSections: ropeFromHuggingFace(config).ropeSections,
  };
}

function windowedLayers({
  layer_types,
  max_window_layers,
  num_hidden_layers,
}: z.output<ReturnType<typeof huggingFaceSchema>>): number[] {
  if (layer_types && layer_types.length !== num_hidden_layers) {
    throw new ConfigError({
      component: 'qwen2 config.json.layer_types',
      expected: `one for each of the ${num_hidden_layers} layers`,
      actual: `${layer_types.length}`,
    });
  }
  const isWindowed = (layer: number) =>
    layer_types ? layer_types[layer] === 'sliding_attention' : layer >= (max_window_layers ?? 0);
  return Array.from({ length: num_hidden_layers }, (_, layer) => layer).filter(isWindowed);
}
