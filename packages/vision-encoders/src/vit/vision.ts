import { composeMaps, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { normal, parseConfig } from '@mmllm/core';
import { Linear } from '@mmllm/nn';
import { z } from 'zod';
import {
  huggingFaceVision,
  parseHuggingFace,
  type TowerCheckpoint,
  visionFromHuggingFace,
} from '../shared/checkpoint';
import {
  type ClassTokenFeatureConfig,
  classTokenVisionKeys,
  positiveNumber,
  resolveVision,
  type VisionConfig,
} from '../shared/config';
import { sameEverywhere } from '../shared/initializers';
import { linearNames, normNames, patchNames } from '../shared/names';
import { preprocessingFor, unitRange } from '../shared/preprocessing';
import { VisionTransformer } from '../shared/vision-transformer';
import { TanhPooler } from './pooler';

export interface VitConfig extends VisionConfig {
  /** Default `gelu`. */
  activation?: VisionConfig['activation'];
  /** Default 1e-12. */
  layerNormEps?: number;
  /** Default: the output of the last block after the last norm, without the class token. */
  features?: ClassTokenFeatureConfig;
  /** Whether `pooled` goes through a linear layer with tanh, as in `ViTModel`. Default false. */
  pooler?: boolean;
  /** Standard deviation of all first weights. Default 0.02. */
  initializerRange?: number;
}

const schema = z.strictObject({
  ...classTokenVisionKeys({
    activation: 'gelu',
    layerNormEps: 1e-12,
    features: { layers: [-1], norm: true },
  }),
  pooler: z.boolean().default(false),
  initializerRange: positiveNumber.default(0.02),
});

const huggingFace = huggingFaceVision({ patchSize: 16, activation: 'gelu', layerNormEps: 1e-12 }).extend({
  architectures: z.array(z.string()).nullish(),
  qkv_bias: z.literal(true).default(true),
  pooler_act: z.literal('tanh').default('tanh'),
});

const towerNames = (patchSize: number): NameMap => ({
  rules: [
    { ours: 'classToken', theirs: 'embeddings.cls_token', layout: 'leading-ones', count: 2 },
    ...patchNames(patchSize, 'embeddings.patch_embeddings.projection'),
    { ours: 'positionEmbedding', theirs: 'embeddings.position_embeddings', layout: 'leading-ones', count: 1 },
    ...normNames('layers.{i}.attentionNorm', 'encoder.layer.{i}.layernorm_before'),
    ...linearNames('layers.{i}.selfAttention.qProj', 'encoder.layer.{i}.attention.attention.query'),
    ...linearNames('layers.{i}.selfAttention.kProj', 'encoder.layer.{i}.attention.attention.key'),
    ...linearNames('layers.{i}.selfAttention.vProj', 'encoder.layer.{i}.attention.attention.value'),
    ...linearNames('layers.{i}.selfAttention.outProj', 'encoder.layer.{i}.attention.output.dense'),
    ...normNames('layers.{i}.mlpNorm', 'encoder.layer.{i}.layernorm_after'),
    ...linearNames('layers.{i}.mlp.fc1', 'encoder.layer.{i}.intermediate.dense'),
    ...linearNames('layers.{i}.mlp.fc2', 'encoder.layer.{i}.output.dense'),
    ...normNames('postNorm', 'layernorm'),
    ...linearNames('head.dense', 'pooler.dense'),
  ],
  // A tower without pooler is loaded from a file with one.
  ignore: ['pooler.dense.*'],
});

/** The head of `ViTForImageClassification`. */
const besides: NameMap = { rules: [], ignore: ['classifier.*'] };

const checkpoint: TowerCheckpoint<VitConfig> = {
  config(json) {
    const hf = parseHuggingFace('vit', huggingFace, json, 'vision_config');
    return { ...visionFromHuggingFace(hf), pooler: hf.architectures?.includes('ViTModel') ?? false };
  },
  names: ({ patchSize }, prefixes = ['', 'vit', 'vision_tower']): NameMap =>
    composeMaps(prefixMap(towerNames(patchSize), { theirs: prefixes }), besides),
};

function build(config: VitConfig): VisionTransformer {
  const { pooler, initializerRange, ...parsed } = parseConfig('vit', schema, config);
  const resolved = resolveVision('vit', parsed);
  const { hiddenSize } = resolved;
  const initializer = normal(initializerRange);
  return new VisionTransformer(resolved, {
    name: 'vit',
    preprocessing: preprocessingFor(resolved, { ...unitRange, fit: 'stretch', resample: 'bilinear' }),
    initializers: sameEverywhere(initializer),
    classToken: initializer,
    patchBias: true,
    preNorm: false,
    head: pooler ? new TanhPooler(new Linear(hiddenSize, hiddenSize, { initializer })) : undefined,
  });
}

/**
 * The vision transformer (Dosovitskiy et al. 2020, arXiv:2010.11929): class token, patches with bias, no norm before
 * the first block; `pooled` is the class token after the last norm.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const vit = Object.assign(build, { checkpoint });
