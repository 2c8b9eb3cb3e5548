import type { JsonObject } from '@mmllm/checkpoints';
import { type FusionFactory, sizeSchema as size } from '@mmllm/core';
import type { HybridOptions, TileTags } from '@mmllm/fusion-cross-attn';
import { z } from 'zod';
import type { PublishedStage } from '../stages';
import { readConfig } from './config';
import { crossLayerNames } from './cross-attention';
import { allBut, only, published } from './published';
import type { Wired } from './wired';

const tokens = z.array(z.int().nonnegative()).nonempty();

/** Qwen2's own defaults, and the layers that NVLM sets between its own. */
const schema = z.looseObject({
  text_config: z
    .looseObject({
      num_attention_heads: size.default(64),
      num_key_value_heads: size.default(8),
      intermediate_size: size.default(29_568),
      rms_norm_eps: z.number().positive().default(1e-6),
    })
    .prefault({}),
  cross_attention_layers: z.array(z.int().nonnegative()).nonempty(),
  cross_attention_config: z
    .strictObject({
      gate: z.literal('tanh').default('tanh'),
      qk_norm: z.boolean().default(false),
      bias: z.literal(false).default(false),
      mlp: z.literal('swiglu').default('swiglu'),
    })
    .prefault({}),
  image_start_ids: tokens.optional(),
  tile_tag_ids: z.array(tokens).optional(),
  thumbnail_tag_ids: tokens.optional(),
});

/** The cross-attention layers of NVLM-X and NVLM-H (Dai et al. 2024, arXiv:2409.11402): a token sees the latest picture. */
export function nvlmLayers(
  json: JsonObject,
  fusion: (options: HybridOptions) => FusionFactory,
): Wired<FusionFactory> {
  const config = readConfig(schema, json);
  const { text_config: text, cross_attention_layers: layers } = config;
  return {
    part: fusion({
      layers,
      numHeads: text.num_attention_heads,
      numKeyValueHeads: text.num_key_value_heads,
      intermediateSize: text.intermediate_size,
      rmsNormEps: text.rms_norm_eps,
      headNorm: config.cross_attention_config.qk_norm,
      sees: 'latest',
      tags: tagsOf(config),
      opening: config.image_start_ids,
    }),
    names: {
      rules: layers.flatMap((_, i) =>
        crossLayerNames(`layers.${i}`, `language_model.cross_attention_layers.${i}`),
      ),
    },
  };
}

/** The tags as text, with the tokens that the file gives them; none where it names no tokens. */
function tagsOf({
  tile_tag_ids: tiles,
  thumbnail_tag_ids: thumbnail,
}: z.output<typeof schema>): TileTags | undefined {
  if (!tiles || !thumbnail) return undefined;
  return {
    tiles: tiles.map((ids, i) => ({ text: `<tile_${i + 1}>`, ids })),
    thumbnail: { text: '<tile_global_thumbnail>', ids: thumbnail },
  };
}

/** The stages of NVLM-X and NVLM-H. */
export function nvlmStages({ pretrainBetas }: { pretrainBetas: [number, number] }): PublishedStage[] {
  const paper = 'arXiv:2409.11402';
  const shared = {
    weightDecay: 0.05,
    clipNorm: 1,
    from: `${paper}, tables 10 and 11`,
    sources: { policy: paper },
  } as const;
  return [
    published({
      name: 'pretrain',
      policy: only('projector', 'fusion'),
      learningRate: 1e-4,
      batchSize: 2048,
      betas: pretrainBetas,
      ...shared,
      sources: { policy: paper, batchSize: paper },
    }),
    published({ name: 'sft', policy: allBut('encoder'), learningRate: 1e-5, betas: [0.9, 0.98], ...shared }),
  ];
}
