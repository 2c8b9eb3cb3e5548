import { composeMaps, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { ConfigError, type Normalisation, normal, parseConfig } from '@mmllm/core';
import { z } from 'zod';
import type { TowerCheckpoint } from '../shared/checkpoint';
import {
  type ClassTokenFeatureConfig,
  classTokenVisionKeys,
  positiveNumber,
  resolveVision,
  type VisionConfig,
} from '../shared/config';
import { sameEverywhere } from '../shared/initializers';
import { preprocessingFor } from '../shared/preprocessing';
import { VisionTransformer } from '../shared/vision-transformer';
import { internVitBlock } from './block';
import { internVitFromHuggingFace } from './hugging-face';
import { besidesInternVit, internVitNames, internVitPrefixes } from './names';

export interface InternVitConfig extends VisionConfig {
  /** Default `gelu`. */
  activation?: VisionConfig['activation'];
  /** Of all norms, `rms` as InternViT-6B has it, or `layer` as InternViT-300M. Default `rms`. */
  norm?: 'rms' | 'layer';
  /** Default 1e-6. */
  layerNormEps?: number;
  /** Whether queries and keys have an RMSNorm over all their channels. Default true. */
  qkNorm?: boolean;
  /** Biases of query, key and value. Default false. */
  qkvBias?: boolean;
  /** A LayerNorm after the last block, for models that do not pool by the mean. Default false. */
  postNorm?: boolean;
  /**
   * Heads that only fill up the count, so that it divides among devices: NVLM-D's checkpoint has 7. They widen attention, but
   * do not count in the statistics of the norm of queries and keys. Default 0.
   */
  numDummyHeads?: number;
  /** First value of the scale of each branch. Default 0.1. */
  layerScale?: number;
  /** Default: the output of the last block, without the class token. */
  features?: ClassTokenFeatureConfig;
  /** Standard deviation of all first weights. Default 0.02. */
  initializerRange?: number;
}

const schema = z.strictObject({
  ...classTokenVisionKeys({
    activation: 'gelu',
    layerNormEps: 1e-6,
    features: { layers: [-1], norm: false },
  }),
  norm: z.enum(['rms', 'layer']).default('rms'),
  qkNorm: z.boolean().default(true),
  qkvBias: z.boolean().default(false),
  postNorm: z.boolean().default(false),
  numDummyHeads: z.int().nonnegative().default(0),
  layerScale: z.number().default(0.1),
  initializerRange: positiveNumber.default(0.02),
});

/** Mean and standard deviation of ImageNet. */
const pixels: Normalisation = {
  rescale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

const checkpoint: TowerCheckpoint<InternVitConfig> = {
  config: internVitFromHuggingFace,
  names: ({ patchSize }, prefixes = internVitPrefixes): NameMap =>
    composeMaps(prefixMap(internVitNames(patchSize), { theirs: prefixes }), besidesInternVit),
};

function build(config: InternVitConfig): VisionTransformer {
  const parsed = parseConfig('intern-vit', schema, config);
  const resolved = resolveVision('intern-vit', parsed);
  if (resolved.features.norm && !resolved.postNorm) {
    throw new ConfigError({
      component: 'intern-vit.features.norm',
      expected: 'false in a tower without postNorm',
      actual: 'true',
    });
  }
  const initializer = normal(resolved.initializerRange);
  return new VisionTransformer(resolved, {
    name: 'intern-vit',
    preprocessing: preprocessingFor(resolved, { ...pixels, fit: 'stretch', resample: 'bicubic' }),
    initializers: sameEverywhere(initializer),
    classToken: initializer,
    patchBias: true,
    preNorm: false,
    postNorm: resolved.postNorm,
    block: () => internVitBlock(resolved, initializer),
  });
}

/**
 * InternViT (Chen et al. 2023, arXiv:2312.14238): a ViT with RMSNorm, a norm over all channels of queries and keys, and a
 * learned scale on each branch; `pooled` is the class token. At full size it has 45 or 48 layers of width 3200.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const internVit = Object.assign(build, { checkpoint });
