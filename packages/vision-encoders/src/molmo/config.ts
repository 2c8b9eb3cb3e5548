import { ConfigError, parseConfig, tilesSchema } from '@mmllm/core';
import { z } from 'zod';
import { hiddenAct, parseHuggingFace } from '../shared/checkpoint';
import {
  positiveNumber,
  type ResolvedVisionConfig,
  resolveVision,
  type VisionConfig,
  visionKeys,
} from '../shared/config';

export interface MolmoConfig extends Omit<VisionConfig, 'inputSize' | 'tiling' | 'features'> {
  /** Default `quick_gelu`. */
  activation?: VisionConfig['activation'];
  /** Default 1e-5. */
  layerNormEps?: number;
  /**
   * Layers whose outputs are joined, as in the other towers: −1 is the output of the last block that is kept. Default
   * [-2, -9], which are the third and the tenth from the end of CLIP's 24, for Molmo keeps 23.
   */
  features?: { layers?: number[] };
  /** Learned values that are added to patches of padding. Default true. */
  paddingEmbedding?: boolean;
  /** Most overlapping crops of a picture, its small whole view not counted. Default 12. */
  maxCrops?: number;
  /**
   * Patches by which neighbouring crops overlap, at the left or top and at the right or bottom. Default a sixth of the
   * crop each, which is the published 4 of 24.
   */
  overlap?: readonly [number, number];
  /** Standard deviation of all first weights. Default 0.02. */
  initializerRange?: number;
}

const { inputSize, tiling, features, ...keys } = visionKeys({
  activation: 'quick_gelu',
  layerNormEps: 1e-5,
  features: { layers: [-2, -9], norm: false },
});

const margin = z.int().nonnegative();

export const schema = z.strictObject({
  ...keys,
  features: features.unwrap().omit({ norm: true }).prefault({}),
  paddingEmbedding: z.boolean().default(true),
  maxCrops: tilesSchema.default(12),
  overlap: z.tuple([margin, margin]).readonly().optional(),
  initializerRange: positiveNumber.default(0.02),
});

/** A configuration with every value in place; `layers` count from the front. */
export type ResolvedMolmoConfig = ResolvedVisionConfig<
  Omit<z.output<typeof schema>, 'features'> & { features: { layers: number[]; norm: boolean } }
> & { overlap: readonly [number, number] };

/**
 * Fills what depends on other keys, and checks what only holds between them.
 * @throws ConfigError as `resolveVision`, and for crops that only overlap.
 */
export function resolve(config: z.output<typeof schema>): ResolvedMolmoConfig {
  const { features, ...others } = config;
  const resolved = resolveVision('molmo', { ...others, features: { ...features, norm: false } });
  const side = Math.floor(config.imageSize / config.patchSize);
  const sixth = Math.floor(side / 6);
  const { overlap = [sixth, sixth] } = config;
  if (overlap[0] + overlap[1] >= side) {
    throw new ConfigError({
      component: 'molmo.overlap',
      expected: `less than the ${side} patches of a crop, together`,
      actual: JSON.stringify(overlap),
    });
  }
  return { ...resolved, overlap };
}

/** The constants of the published modelling code, `VisionBackboneConfig`. */
const backbone = z.object({
  image_model_type: z.literal('openai').default('openai'),
  image_default_input_size: z.tuple([z.int(), z.int()]).default([336, 336]),
  image_patch_size: z.int().default(14),
  image_pos_patch_size: z.int().default(14),
  image_emb_dim: z.int().default(1024),
  image_num_heads: z.int().default(16),
  image_num_key_value_heads: z.int().default(16),
  image_num_layers: z.int().default(23),
  image_head_dim: z.int().default(64),
  image_mlp_dim: z.int().default(4096),
  image_mlp_activations: hiddenAct('quick_gelu'),
  image_num_pos: z.int().default(577),
  image_norm_eps: z.number().default(1e-5),
});

const outer = z.object({
  vit_layers: z.array(z.int()).default([-2, -9]),
  image_padding_embed: z.literal('pad_and_partial_pad').nullable().default('pad_and_partial_pad'),
});

/** The published `config.json`. It has no word on the tower; where one has, the names are those of the reference. */
export function fromPublished(json: unknown): MolmoConfig {
  const vit = parseHuggingFace('molmo', backbone, json, 'vision_backbone');
  const model = parseConfig('molmo config.json', outer, json as z.input<typeof outer>);
  checkConsistent(vit);
  return {
    imageSize: vit.image_default_input_size[0],
    patchSize: vit.image_patch_size,
    hiddenSize: vit.image_emb_dim,
    numLayers: vit.image_num_layers,
    numHeads: vit.image_num_heads,
    intermediateSize: vit.image_mlp_dim,
    activation: vit.image_mlp_activations,
    layerNormEps: vit.image_norm_eps,
    // There the first block's output is 0, here its input.
    features: { layers: model.vit_layers.map((layer) => (layer < 0 ? layer : layer + 1)) },
    paddingEmbedding: model.image_padding_embed !== null,
  };
}

/** What the reference can vary and no published model does. */
function checkConsistent(vit: z.output<typeof backbone>): void {
  const [height] = vit.image_default_input_size;
  const patches = Math.floor(height / vit.image_patch_size) ** 2;
  const demands: [key: keyof typeof vit, expected: unknown][] = [
    ['image_default_input_size', [height, height]],
    ['image_pos_patch_size', vit.image_patch_size],
    ['image_num_pos', patches + 1],
    ['image_num_key_value_heads', vit.image_num_heads],
    ['image_head_dim', vit.image_emb_dim / vit.image_num_heads],
  ];
  for (const [key, expected] of demands) {
    const [wanted, came] = [JSON.stringify(expected), JSON.stringify(vit[key])];
    if (wanted === came) continue;
    throw new ConfigError({ component: `molmo config.json.${key}`, expected: wanted, actual: came });
  }
}
