import { layersSchema, type PackedPreprocessing } from '@mmllm/core';
import type { Activation } from '@mmllm/nn';
import { z } from 'zod';
import {
  activation,
  type NormalisationConfig,
  normalisation,
  positiveInteger,
  positiveNumber,
} from './config';
import { clipPixels } from './preprocessing';

/** What every tower of packed pictures takes. */
export interface PackedConfig {
  hiddenSize: number;
  numLayers: number;
  numHeads: number;
  /** Default 4 · hiddenSize. */
  intermediateSize?: number;
  activation?: Activation;
  /** Side of a patch in pixels. */
  patchSize?: number;
  /** Side, in patches, of the blocks that a projector merges: grids are multiples of it. */
  mergeSize?: number;
  /** Base of the rotation's wavelengths. Default 10 000. */
  ropeTheta?: number;
  /** Layers whose outputs are the features; 0 is the input of the first block, −1 the last output. Default [-1]. */
  features?: { layers: number[] };
  /** Of the pixels, where it differs from CLIP's mean and std. */
  normalisation?: NormalisationConfig;
  /** Standard deviation of all first weights. Default 0.02. */
  initializerRange?: number;
}

/** The keys of `PackedConfig`, for a strict object to which a family adds its own. */
export const packedKeys = (defaults: { activation: Activation; patchSize: number; mergeSize: number }) => ({
  hiddenSize: positiveInteger,
  numLayers: layersSchema,
  numHeads: positiveInteger,
  intermediateSize: positiveInteger.optional(),
  activation: activation.default(defaults.activation),
  patchSize: positiveInteger.default(defaults.patchSize),
  mergeSize: positiveInteger.default(defaults.mergeSize),
  ropeTheta: positiveNumber.default(10_000),
  features: z.strictObject({ layers: z.array(z.int()).min(1) }).default({ layers: [-1] }),
  normalisation: normalisation.optional(),
  initializerRange: positiveNumber.default(0.02),
});

type ParsedPackedConfig = z.output<z.ZodObject<ReturnType<typeof packedKeys>>>;

/** What such a tower wants done to pictures, to sizes by its own rule. */
export const packedPreprocessing = (
  config: Pick<ParsedPackedConfig, 'patchSize' | 'mergeSize' | 'normalisation'>,
  size: PackedPreprocessing['size'],
) => ({
  kind: 'packed' as const,
  patchSize: config.patchSize,
  multiple: config.patchSize * config.mergeSize,
  size,
  resample: 'bicubic' as const,
  ...clipPixels,
  ...config.normalisation,
});
