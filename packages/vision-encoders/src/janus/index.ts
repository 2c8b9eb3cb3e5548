import { composeMaps, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { type FixedPreprocessing, normal, parseConfig, sizeSchema } from '@mmllm/core';
import { z } from 'zod';
import { hiddenAct, parseHuggingFace, squareSide, type TowerCheckpoint } from '../shared/checkpoint';
import { resolveVision, type VisionConfig, visionKeys } from '../shared/config';
import { sameEverywhere } from '../shared/initializers';
import { besidesVision, visionTowerNames } from '../shared/names';
import { unitRange } from '../shared/preprocessing';
import { VisionTransformer } from '../shared/vision-transformer';

export type { TowerCheckpoint } from '../shared/checkpoint';
export type { FeatureConfig } from '../shared/config';
export type { VisionTransformer } from '../shared/vision-transformer';

export interface JanusConfig extends Omit<VisionConfig, 'tiling'> {
  /** Default `gelu`. */
  activation?: VisionConfig['activation'];
  /** Default 1e-6. */
  layerNormEps?: number;
  /** Default as Janus takes them: the output of the last block after the last norm. There is no class token. */
  features?: VisionConfig['features'];
  /** Standard deviation of all first weights. Default 0.02. */
  initializerRange?: number;
}

const { tiling, ...keys } = visionKeys({
  activation: 'gelu',
  layerNormEps: 1e-6,
  features: { layers: [-1], norm: true },
});

const schema = z.strictObject({ ...keys, initializerRange: z.number().nonnegative().default(0.02) });

/** `JanusVisionConfig` of transformers, with its defaults. */
const huggingFace = z.object({
  hidden_size: sizeSchema.default(1024),
  num_hidden_layers: z.int().default(24),
  num_attention_heads: z.int().default(16),
  num_channels: z.literal(3).default(3),
  image_size: squareSide.prefault(384),
  patch_size: squareSide.prefault(16),
  hidden_act: hiddenAct('gelu'),
  layer_norm_eps: z.number().default(1e-6),
  mlp_ratio: z.number().positive().default(4),
  attention_bias: z.literal(true).default(true),
  use_qk_norm: z.literal(false).default(false),
});

/** SigLIP's, but for the name of the projection behind the attention. */
function towerNames(patchSize: number): NameMap {
  const { rules, ignore } = visionTowerNames(patchSize);
  const renamed = rules.map((rule) => ({
    ...rule,
    theirs: rule.theirs.replace('.self_attn.out_proj.', '.self_attn.projection_layer.'),
  }));
  return { rules: renamed, ignore };
}

/** What a file of Janus holds besides, that others do not. */
const besidesJanus: NameMap = {
  rules: [],
  ignore: ['model.aligner.**', 'model.vqmodel.**', 'model.generation_*.**'],
};

const checkpoint: TowerCheckpoint<JanusConfig> = {
  config(json) {
    const hf = parseHuggingFace('janus', huggingFace, json, 'vision_config');
    return {
      imageSize: hf.image_size,
      patchSize: hf.patch_size,
      hiddenSize: hf.hidden_size,
      numLayers: hf.num_hidden_layers,
      numHeads: hf.num_attention_heads,
      intermediateSize: Math.trunc(hf.hidden_size * hf.mlp_ratio),
      activation: hf.hidden_act,
      layerNormEps: hf.layer_norm_eps,
    };
  },
  names: ({ patchSize }, prefixes = ['model.vision_model', 'vision_model', '']) =>
    composeMaps(prefixMap(towerNames(patchSize), { theirs: prefixes }), besidesVision, besidesJanus),
};

/** The mean of the pixels, rounded down, as transformers has it. */
const GREY = 127;

function build(config: JanusConfig): VisionTransformer {
  const { initializerRange, ...parsed } = parseConfig('janus', schema, config);
  const resolved = resolveVision('janus', parsed);
  const preprocessing: FixedPreprocessing = {
    kind: 'fixed',
    size: resolved.inputSize,
    fit: 'letterbox',
    resample: 'bicubic',
    background: [GREY, GREY, GREY],
    minShortEdge: 14,
    ...unitRange,
    ...resolved.normalisation,
  };
  return new VisionTransformer(resolved, {
    name: 'janus',
    preprocessing,
    initializers: sameEverywhere(normal(initializerRange)),
    patchBias: true,
    preNorm: false,
  });
}

/**
 * The image tower that Janus reads with (Wu et al. 2024, arXiv:2410.13848): SigLIP-L/16 with the exact GELU and without
 * its pooling head, on pictures that are fitted into a grey square.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const janus = Object.assign(build, { checkpoint });
