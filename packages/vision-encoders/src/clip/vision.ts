import { composeMaps, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { normal, parseConfig } from '@mmllm/core';
import { z } from 'zod';
import {
  huggingFaceVision,
  parseHuggingFace,
  type TowerCheckpoint,
  takenLayers,
  visionFromHuggingFace,
} from '../shared/checkpoint';
import {
  type ClassTokenFeatureConfig,
  classTokenVisionKeys,
  positiveNumber,
  resolveVision,
  type VisionConfig,
} from '../shared/config';
import { besidesVision, visionPrefixes, visionTowerNames } from '../shared/names';
import { clipPixels, preprocessingFor } from '../shared/preprocessing';
import { VisionTransformer } from '../shared/vision-transformer';

export interface ClipConfig extends VisionConfig {
  /** Default `quick_gelu`, as OpenAI's models have it; OpenCLIP's have `gelu` unless they say otherwise. */
  activation?: VisionConfig['activation'];
  /** Default 1e-5. */
  layerNormEps?: number;
  /** Default as LLaVA takes them: the input of the last block, `layers: [-2]`, without norm and class token. */
  features?: ClassTokenFeatureConfig;
  /** Standard deviation of the first patch and position embeddings. Default 0.02. */
  initializerRange?: number;
}

const schema = z.strictObject({
  ...classTokenVisionKeys({
    activation: 'quick_gelu',
    layerNormEps: 1e-5,
    features: { layers: [-2], norm: false },
  }),
  initializerRange: positiveNumber.default(0.02),
});

const huggingFace = huggingFaceVision({ patchSize: 32, activation: 'quick_gelu', layerNormEps: 1e-5 });

const checkpoint: TowerCheckpoint<ClipConfig> = {
  config(json) {
    const tower = visionFromHuggingFace(parseHuggingFace('clip', huggingFace, json, 'vision_config'));
    const features = featuresOf(json);
    return features ? { ...tower, features } : tower;
  },
  names: ({ patchSize }, prefixes = visionPrefixes): NameMap =>
    composeMaps(prefixMap(visionTowerNames(patchSize), { theirs: prefixes }), besidesVision),
};

const strategy = z.looseObject({ vision_feature_select_strategy: z.enum(['default', 'full']).nullish() });

/** What a whole model takes, such as LLaVA; undefined where the file says nothing of it. */
function featuresOf(json: unknown): ClassTokenFeatureConfig | undefined {
  const layers = takenLayers('clip', json);
  const { vision_feature_select_strategy: tokens } = parseHuggingFace('clip', strategy, json);
  if (!layers && !tokens) return undefined;
  return { ...(layers && { layers }), ...(tokens && { classToken: tokens === 'full' ? 'keep' : 'drop' }) };
}

function build(config: ClipConfig): VisionTransformer {
  const { initializerRange, ...parsed } = parseConfig('clip', schema, config);
  const resolved = resolveVision('clip', parsed);
  const { hiddenSize } = resolved;
  return new VisionTransformer(resolved, {
    name: 'clip',
    preprocessing: preprocessingFor(resolved, { ...clipPixels, fit: 'crop', resample: 'bicubic' }),
    initializers: {
      patchEmbedding: normal(initializerRange),
      positionEmbedding: normal(initializerRange),
      attention: normal(hiddenSize ** -0.5),
      mlp: normal((2 * hiddenSize) ** -0.5),
    },
    classToken: normal(hiddenSize ** -0.5),
    patchBias: false,
    preNorm: true,
  });
}

/**
 * The image tower of CLIP (Radford et al. 2021, arXiv:2103.00020) and OpenCLIP: class token, patches without bias, a
 * norm before the first block; `pooled` is the class token after the last norm.
 *
 * First values have the standard deviations that OpenAI's code takes by width: hiddenSize^−½ for attention and class
 * token, (2 · hiddenSize)^−½ for the MLP; without its further factor by depth for what is added to the residual.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const clip = Object.assign(build, { checkpoint });
