import {
  ConfigError,
  layersSchema,
  MAX_TILES,
  sizeSchema,
  type TiledPreprocessing,
  tilesSchema,
} from '@mmllm/core';
import { ACTIVATIONS, type Activation } from '@mmllm/nn';
import { z } from 'zod';
import type { PictureSize } from './layout';

/** Which hidden states are the features. */
export interface FeatureConfig {
  /**
   * Layers whose outputs are taken; several are joined along the channels, in this order. 0 is the input of the first
   * block, 1 its output; negative ones count from the end, so −1 is the output of the last block. Blocks after the
   * last one that is taken are not run.
   */
  layers?: number[];
  /** Whether the tower's last norm is applied to each of them. */
  norm?: boolean;
}

/** The features of a tower with a class token. */
export interface ClassTokenFeatureConfig extends FeatureConfig {
  /** Whether the class token is a feature row, in front of the patches of its view. Default `drop`. */
  classToken?: 'drop' | 'keep';
}

/** Pictures are cut into tiles; each tile goes through the tower alone. */
export type TilingConfig = GridTilingConfig | AnyResConfig;

/** Into the grid of tiles that fits the picture's aspect (InternVL, NVLM, MM1.5). */
export interface GridTilingConfig {
  /** Most tiles of one picture, its thumbnail not counted. */
  maxTiles: number;
  /** Default 1. */
  minTiles?: number;
  /** Where the small view of the whole picture stands among the tiles. Default `last`. */
  thumbnail?: TiledPreprocessing['thumbnail'];
  /** Whether the picture is stretched over the grid, or keeps its aspect on black. Default `stretch`. */
  fit?: TiledPreprocessing['fit'];
}

/** A thumbnail, then the tiles of the best of these sizes, in which the picture keeps its aspect (LLaVA-NeXT). */
export interface AnyResConfig {
  /** Sides are multiples of the tile, in pixels. */
  resolutions: readonly PictureSize[];
}

/** Pixels become `(value / 255 − mean) / std`, each given for red, green and blue. */
export interface NormalisationConfig {
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

/** What every vision transformer of this package takes. */
export interface VisionConfig {
  /** Side of the square pictures that the table of positions is made for, in pixels. */
  imageSize: number;
  /**
   * Size that pictures are prepared to, where it differs from `imageSize`: the learned positions are then
   * interpolated to its grid (bicubic, as Hugging Face does). Default imageSize.
   */
  inputSize?: number | PictureSize;
  /** Side of a patch in pixels. Pixels beyond the last whole patch are left out. */
  patchSize: number;
  hiddenSize: number;
  numLayers: number;
  numHeads: number;
  /** Default 4 · hiddenSize. */
  intermediateSize?: number;
  activation?: Activation;
  layerNormEps?: number;
  features?: FeatureConfig;
  /** Of the pixels, where it differs from the published one. */
  normalisation?: NormalisationConfig;
  /** Default: the whole picture is one view. */
  tiling?: TilingConfig;
}

export const positiveInteger = sizeSchema;
export const positiveNumber = z.number().positive();
export const activation = z.enum(ACTIVATIONS);

const channels = (value: z.ZodNumber) => z.tuple([value, value, value]).readonly();

export const normalisation = z.strictObject({ mean: channels(z.number()), std: channels(positiveNumber) });

const gridTiling = z.strictObject({
  maxTiles: tilesSchema,
  minTiles: tilesSchema.default(1),
  thumbnail: z.enum(['first', 'last', 'none']).default('last'),
  fit: z.enum(['stretch', 'pad']).optional(),
});

const anyRes = z.strictObject({
  resolutions: z
    .array(z.strictObject({ height: positiveInteger, width: positiveInteger }))
    .nonempty()
    .readonly(),
});

/** The published values of a family, where families differ. */
export interface FamilyDefaults {
  readonly activation: Activation;
  readonly layerNormEps: number;
  readonly features: { readonly layers: number[]; readonly norm: boolean };
}

/** The schema of `FeatureConfig`. */
const featureSchema = ({ features }: FamilyDefaults) =>
  z.strictObject({
    layers: z.array(z.int()).min(1).default(features.layers),
    norm: z.boolean().default(features.norm),
  });

/** The keys of `VisionConfig`, for a strict object to which a family adds its own. */
export const visionKeys = (defaults: FamilyDefaults) => ({
  imageSize: positiveInteger,
  inputSize: z
    .union([positiveInteger, z.strictObject({ height: positiveInteger, width: positiveInteger })])
    .optional(),
  patchSize: positiveInteger,
  hiddenSize: positiveInteger,
  numLayers: layersSchema,
  numHeads: positiveInteger,
  intermediateSize: positiveInteger.optional(),
  activation: activation.default(defaults.activation),
  layerNormEps: positiveNumber.default(defaults.layerNormEps),
  features: featureSchema(defaults).prefault({}),
  normalisation: normalisation.optional(),
  tiling: z.union([gridTiling, anyRes]).optional(),
});

/** The same for a tower with a class token. */
export const classTokenVisionKeys = (defaults: FamilyDefaults) => ({
  ...visionKeys(defaults),
  features: featureSchema(defaults)
    .extend({ classToken: z.enum(['drop', 'keep']).default('drop') })
    .prefault({}),
});

/** A configuration of which the schema has filled what does not depend on other keys. */
type ParsedVisionConfig = z.output<z.ZodObject<ReturnType<typeof visionKeys>>>;

/** A configuration with every value in place; `layers` count from the front. */
export type ResolvedVisionConfig<C extends ParsedVisionConfig = ParsedVisionConfig> = C & {
  inputSize: PictureSize;
  intermediateSize: number;
};

/**
 * Fills what depends on other keys, and checks what only holds between them.
 * @throws ConfigError for a layer that does not exist, pictures below one patch, or tiles that are not square.
 */
export function resolveVision<C extends ParsedVisionConfig>(
  name: string,
  config: C,
): ResolvedVisionConfig<C> {
  const { imageSize, inputSize = imageSize, patchSize, hiddenSize, numLayers, features, tiling } = config;
  const refuse = (key: string, expected: string, actual: unknown) =>
    new ConfigError({ component: `${name}.${key}`, expected, actual: JSON.stringify(actual) });
  const size = typeof inputSize === 'number' ? { height: inputSize, width: inputSize } : inputSize;
  if (patchSize > Math.min(imageSize, size.height, size.width)) {
    throw refuse('patchSize', 'a patch within the picture', patchSize);
  }
  if (tiling && size.height !== size.width) throw refuse('inputSize', 'square tiles', inputSize);
  const cut = tiling && 'resolutions' in tiling ? tiling.resolutions : [];
  const tilesOf = ({ height, width }: PictureSize) => (height / size.height) * (width / size.width);
  const wrong = cut.find(
    (one) => one.height % size.height !== 0 || one.width % size.width !== 0 || tilesOf(one) > MAX_TILES,
  );
  if (wrong)
    throw refuse('tiling.resolutions', `at most ${MAX_TILES} whole tiles of ${size.height} pixels`, wrong);
  if (tiling && 'maxTiles' in tiling && tiling.minTiles > tiling.maxTiles) {
    throw refuse('tiling.minTiles', `at most ${tiling.maxTiles}, which is maxTiles`, tiling.minTiles);
  }
  const layers = layersFrom(name, features.layers, numLayers);
  const { intermediateSize = 4 * hiddenSize } = config;
  return { ...config, inputSize: size, intermediateSize, features: { ...features, layers } };
}

/**
 * Layers that features are taken from, counted from the front.
 * @throws ConfigError for one that does not exist.
 */
export function layersFrom(name: string, layers: readonly number[], numLayers: number): number[] {
  const counted = layers.map((layer) => (layer < 0 ? layer + numLayers + 1 : layer));
  if (counted.every((layer) => layer >= 0 && layer <= numLayers)) return counted;
  throw new ConfigError({
    component: `${name}.features.layers`,
    expected: `layers from ${-numLayers - 1} to ${numLayers}`,
    actual: JSON.stringify(layers),
  });
}
