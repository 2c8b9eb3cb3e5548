import { ConfigError } from '@mmllm/core';
import { z } from 'zod';
import { huggingFaceVision, parseHuggingFace, visionFromHuggingFace } from '../shared/checkpoint';
import {
  type FeatureConfig,
  positiveInteger,
  positiveNumber,
  type ResolvedVisionConfig,
  resolveVision,
  type VisionConfig,
  visionKeys,
} from '../shared/config';

export interface AriaConfig extends Omit<VisionConfig, 'inputSize' | 'tiling'> {
  /** Longest edge that pictures are prepared to, in pixels: 490 or 980 of the published 980. Default imageSize. */
  inputSize?: number;
  /** Shortest edge that they are prepared to, however narrow they are. Default 336, or inputSize where that is less. */
  minShortEdge?: number;
  /** Default `gelu_tanh`. */
  activation?: VisionConfig['activation'];
  /** Default 1e-6. */
  layerNormEps?: number;
  /** Default as Aria takes them: the output of the last block, without the last norm. */
  features?: FeatureConfig;
  /**
   * Whether there is a last norm. Nothing reads it unless `features.norm` asks for it; Hugging Face's files have one
   * and are not complete without it, those of the original code have none. Default true.
   */
  postNorm?: boolean;
  /** Standard deviation of all first weights. Default 0.02. */
  initializerRange?: number;
}

const { inputSize, tiling, ...keys } = visionKeys({
  activation: 'gelu_tanh',
  layerNormEps: 1e-6,
  features: { layers: [-1], norm: false },
});

export const schema = z.strictObject({
  ...keys,
  inputSize: positiveInteger.optional(),
  minShortEdge: positiveInteger.optional(),
  postNorm: z.boolean().default(true),
  initializerRange: positiveNumber.default(0.02),
});

/** A configuration with every value in place; `layers` count from the front. */
export type ResolvedAriaConfig = ResolvedVisionConfig<z.output<typeof schema>> & { minShortEdge: number };

/**
 * Fills what depends on other keys, and checks what only holds between them.
 * @throws ConfigError as `resolveVision`, for a short edge above the long one, or a norm that is not there.
 */
export function resolve(config: z.output<typeof schema>): ResolvedAriaConfig {
  const resolved = resolveVision('aria', config);
  const longestEdge = resolved.inputSize.height;
  const { minShortEdge = Math.min(336, longestEdge), features, postNorm } = config;
  const refuse = (key: string, expected: string, actual: unknown) =>
    new ConfigError({ component: `aria.${key}`, expected, actual: `${actual}` });
  if (minShortEdge > longestEdge) throw refuse('minShortEdge', `at most ${longestEdge}`, minShortEdge);
  if (features.norm && !postNorm) throw refuse('postNorm', 'true, for features.norm', postNorm);
  return { ...resolved, minShortEdge };
}

/** The class `Idefics3VisionConfig`, which Aria's is in transformers. */
const huggingFace = huggingFaceVision({
  patchSize: 32,
  activation: 'gelu_pytorch_tanh',
  layerNormEps: 1e-6,
}).extend({
  num_channels: z.literal(3).default(3),
  hidden_size: z.int().default(1152),
  num_attention_heads: z.int().default(16),
});

const outer = z.object({ vision_feature_layer: z.int().default(-1) });

/** Hugging Face's `config.json`, of the tower or of a whole model. */
export function fromHuggingFace(json: unknown): AriaConfig {
  const tower = visionFromHuggingFace(parseHuggingFace('aria', huggingFace, json, 'vision_config'));
  const { vision_feature_layer: layer } = parseHuggingFace('aria', outer, json);
  return { ...tower, features: { layers: [layer] } };
}
