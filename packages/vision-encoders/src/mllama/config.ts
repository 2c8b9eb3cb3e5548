import { ConfigError, layersSchema, MAX_LAYERS, tilesSchema } from '@mmllm/core';
import { z } from 'zod';
import { hiddenAct, parseHuggingFace } from '../shared/checkpoint';
import {
  activation,
  type NormalisationConfig,
  normalisation,
  positiveInteger,
  positiveNumber,
  type VisionConfig,
} from '../shared/config';

/** Rows and columns of a canvas of tiles. */
export type AspectRatio = readonly [rows: number, columns: number];

export interface MllamaConfig {
  /** Side of a tile in pixels. */
  imageSize: number;
  /** Side of a patch in pixels. */
  patchSize: number;
  hiddenSize: number;
  /** Local layers. */
  numLayers: number;
  /** Gated layers behind them. */
  numGlobalLayers: number;
  numHeads: number;
  /** Default 4 · hiddenSize. */
  intermediateSize?: number;
  /** Default `gelu`. */
  activation?: VisionConfig['activation'];
  /** Of the norms in the layers; those around the local layers always have 1e-5. Default 1e-5. */
  layerNormEps?: number;
  /** Tiles of every picture, those included that only fill it up. Default 4. */
  maxTiles?: number;
  /**
   * Canvases that a picture may have. The first has row 1 in the tables of the tiles; row 0, no picture, is not used
   * here. Default: all of at most `maxTiles` tiles, by rows, then by columns.
   */
  aspectRatios?: readonly AspectRatio[];
  /** Local layers that are taken beside the last global one, 0 for the first; negative ones count from the end. */
  intermediateLayers: readonly number[];
  /**
   * Which state of these layers is taken. Transformers takes their `output` and Meta's code their `input`; the paper
   * reads like the output. Default `output`.
   */
  taps?: 'output' | 'input';
  /** Of the pixels, where it differs from CLIP's, which Meta's code has. */
  normalisation?: NormalisationConfig;
  /** Standard deviation of all first weights. Default 0.02. */
  initializerRange?: number;
}

export const schema = z.strictObject({
  imageSize: positiveInteger,
  patchSize: positiveInteger,
  hiddenSize: positiveInteger,
  numLayers: layersSchema,
  numGlobalLayers: z.int().nonnegative().max(MAX_LAYERS),
  numHeads: positiveInteger,
  intermediateSize: positiveInteger.optional(),
  activation: activation.default('gelu'),
  layerNormEps: positiveNumber.default(1e-5),
  maxTiles: tilesSchema.default(4),
  aspectRatios: z
    .array(z.tuple([positiveInteger, positiveInteger]).readonly())
    .min(1)
    .readonly()
    .optional(),
  intermediateLayers: z.array(z.int()).readonly(),
  taps: z.enum(['output', 'input']).default('output'),
  normalisation: normalisation.optional(),
  initializerRange: positiveNumber.default(0.02),
});

/** A configuration with every value in place; `tapDepths` count the states of the local layers, 0 for their input. */
export type ResolvedMllamaConfig = z.output<typeof schema> & {
  intermediateSize: number;
  aspectRatios: readonly AspectRatio[];
  tapDepths: readonly number[];
};

/**
 * Fills what depends on other keys, and checks what only holds between them.
 * @throws ConfigError for a patch larger than a tile, a layer that does not exist, or a canvas of too many tiles.
 */
export function resolve(config: z.output<typeof schema>): ResolvedMllamaConfig {
  const { imageSize, patchSize, hiddenSize, numLayers, maxTiles, intermediateLayers, taps } = config;
  const { intermediateSize = 4 * hiddenSize, aspectRatios = allAspectRatios(maxTiles) } = config;
  const refuse = (key: string, expected: string, actual: unknown) =>
    new ConfigError({ component: `mllama.${key}`, expected, actual: JSON.stringify(actual) });
  if (patchSize > imageSize) throw refuse('patchSize', 'a patch within the tile', patchSize);
  const large = aspectRatios.find(([rows, columns]) => rows * columns > maxTiles);
  if (large) throw refuse('aspectRatios', `canvases of at most ${maxTiles} tiles`, large);
  const layers = intermediateLayers.map((layer) => (layer < 0 ? layer + numLayers : layer));
  if (layers.some((layer) => layer < 0 || layer >= numLayers)) {
    const expected = `layers from ${-numLayers} to ${numLayers - 1}`;
    throw refuse('intermediateLayers', expected, intermediateLayers);
  }
  const tapDepths = layers.map((layer) => (taps === 'output' ? layer + 1 : layer));
  return { ...config, intermediateSize, aspectRatios, tapDepths };
}

function allAspectRatios(maxTiles: number): AspectRatio[] {
  const sides = Array.from({ length: maxTiles }, (_, i) => i + 1);
  const all = sides.flatMap((rows) => sides.map((columns) => [rows, columns] as const));
  return all.filter(([rows, columns]) => rows * columns <= maxTiles);
}

const huggingFace = z.object({
  image_size: z.int().default(448),
  patch_size: z.int().default(14),
  num_channels: z.literal(3).default(3),
  hidden_size: z.int().default(1280),
  num_hidden_layers: z.int().default(32),
  num_global_layers: z.int().default(8),
  attention_heads: z.int().optional(),
  // The name by which the class knows it too.
  num_attention_heads: z.int().default(16),
  intermediate_size: z.int().default(5120),
  hidden_act: hiddenAct('gelu'),
  norm_eps: z.number().default(1e-5),
  max_num_tiles: z.int().default(4),
  supported_aspect_ratios: z.array(z.tuple([z.int(), z.int()])).nullish(),
  intermediate_layers_indices: z.array(z.int()).nullish(),
  vision_output_dim: z.int().default(7680),
});

/** Hugging Face's `config.json`, of the tower or of a whole model. */
export function fromHuggingFace(json: unknown): MllamaConfig {
  const hf = parseHuggingFace('mllama', huggingFace, json, 'vision_config');
  const intermediateLayers = hf.intermediate_layers_indices ?? [3, 7, 15, 23, 30];
  const outputSize = hf.hidden_size * (1 + intermediateLayers.length);
  if (hf.vision_output_dim !== outputSize) {
    throw new ConfigError({
      component: 'mllama config.json',
      expected: `vision_output_dim ${outputSize}, the last layer and ${intermediateLayers.length} others`,
      actual: `${hf.vision_output_dim}`,
    });
  }
  return {
    imageSize: hf.image_size,
    patchSize: hf.patch_size,
    hiddenSize: hf.hidden_size,
    numLayers: hf.num_hidden_layers,
    numGlobalLayers: hf.num_global_layers,
    numHeads: hf.attention_heads ?? hf.num_attention_heads,
    intermediateSize: hf.intermediate_size,
    activation: hf.hidden_act,
    layerNormEps: hf.norm_eps,
    maxTiles: hf.max_num_tiles,
    aspectRatios: hf.supported_aspect_ratios ?? undefined,
    intermediateLayers,
  };
}
