import { parseConfig } from '@mmllm/core';
import { z } from 'zod';
import type { ClipTextConfig } from '../clip/text';
import type { ClipConfig } from '../clip/vision';
import { positiveInteger, positiveNumber } from '../shared/config';

/**
 * open_clip's description of a model: `model_cfg` of `open_clip_config.json`, or a file of its `model_configs`. Strict, since
 * a key that is not known may stand for another architecture.
 */
const modelSchema = z.strictObject({
  embed_dim: positiveInteger,
  quick_gelu: z.boolean().default(false),
  init_logit_scale: z.number().optional(),
  vision_cfg: z.strictObject({
    image_size: positiveInteger.default(224),
    layers: positiveInteger.default(12),
    width: positiveInteger.default(768),
    head_width: positiveInteger.default(64),
    mlp_ratio: positiveNumber.default(4),
    patch_size: positiveInteger.default(16),
    patch_dropout: z.number().optional(),
  }),
  text_cfg: z.strictObject({
    context_length: positiveInteger.default(77),
    vocab_size: positiveInteger.default(49_408),
    width: positiveInteger.default(512),
    heads: positiveInteger.default(8),
    layers: positiveInteger.default(12),
    mlp_ratio: positiveNumber.default(4),
  }),
});

const fileSchema = z.union([
  z.object({ model_cfg: modelSchema }).transform(({ model_cfg }) => model_cfg),
  modelSchema,
]);

/** Both towers of a model, and the width of the common space. */
export interface OpenClipConfig {
  readonly vision: ClipConfig;
  readonly text: ClipTextConfig;
  readonly projectionSize: number;
}

/**
 * Our configuration from open_clip's JSON. Activations are the exact GELU unless it says `quick_gelu`.
 * @throws ConfigError for a key or value outside the known set, such as a tower of timm.
 */
export function openClipConfig(json: unknown): OpenClipConfig {
  const file = parseConfig('open_clip_config.json', fileSchema, json as z.input<typeof fileSchema>);
  const { embed_dim: projectionSize, quick_gelu, vision_cfg: vision, text_cfg: text } = file;
  const activation = quick_gelu ? 'quick_gelu' : 'gelu';
  return {
    projectionSize,
    vision: {
      imageSize: vision.image_size,
      patchSize: vision.patch_size,
      hiddenSize: vision.width,
      numLayers: vision.layers,
      numHeads: Math.floor(vision.width / vision.head_width),
      intermediateSize: Math.floor(vision.width * vision.mlp_ratio),
      activation,
    },
    text: {
      vocabSize: text.vocab_size,
      maxLength: text.context_length,
      hiddenSize: text.width,
      numLayers: text.layers,
      numHeads: text.heads,
      intermediateSize: Math.floor(text.width * text.mlp_ratio),
      activation,
      // Its tokenizer's end of text is the highest id, and that is how the code finds it.
      eosTokenId: 'highest',
    },
  };
}
