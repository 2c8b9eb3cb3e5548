import { z } from 'zod';
import {
  hiddenAct,
  parseHuggingFace,
  squareSide,
  takenLayers,
  visionFromHuggingFace,
} from '../shared/checkpoint';
import type { InternVitConfig } from './vision';

const normType = z
  .enum(['rms_norm', 'layer_norm'])
  .transform((name) => (name === 'rms_norm' ? ('rms' as const) : ('layer' as const)));

/** `InternVLVisionConfig` of transformers, with its defaults. */
const transformers = z.object({
  image_size: squareSide.prefault(448),
  patch_size: squareSide.prefault(14),
  num_channels: z.literal(3).default(3),
  hidden_size: z.int().default(1024),
  num_hidden_layers: z.int().default(24),
  num_attention_heads: z.int().default(16),
  intermediate_size: z.int().default(4096),
  hidden_act: hiddenAct('gelu'),
  layer_norm_eps: z.number().default(1e-6),
  norm_type: normType.prefault('layer_norm'),
  attention_bias: z.boolean().default(false),
  use_qk_norm: z.boolean().default(false),
  use_mean_pooling: z.boolean().default(true),
  layer_scale_init_value: z.number().default(0.1),
  use_absolute_position_embeddings: z.literal(true).default(true),
});

/** `InternVisionConfig` of OpenGVLab, with its defaults. */
const original = z.object({
  image_size: squareSide.prefault(224),
  patch_size: squareSide.prefault(14),
  num_channels: z.literal(3).default(3),
  hidden_size: z.int().default(3200),
  num_hidden_layers: z.int().default(48),
  num_attention_heads: z.int().default(25),
  intermediate_size: z.int().default(12_800),
  hidden_act: hiddenAct('gelu'),
  layer_norm_eps: z.number().default(1e-6),
  norm_type: normType.prefault('rms_norm'),
  qkv_bias: z.boolean().default(false),
  qk_normalization: z.boolean().default(true),
  initializer_factor: z.number().default(0.1),
});

const kind = z.looseObject({ model_type: z.string().optional() });

/** `InternVLChatConfig` of OpenGVLab. */
const chat = z.looseObject({ select_layer: z.int().default(-1) });

/**
 * Our configuration from the `config.json` of transformers' `internvl_vision` or OpenGVLab's `intern_vit_6b`, alone or
 * nested in that of a whole model.
 */
export function internVitFromHuggingFace(json: unknown): InternVitConfig {
  const { model_type } = parseHuggingFace('intern-vit', kind, json, 'vision_config');
  return model_type === 'intern_vit_6b' ? fromOriginal(json) : fromTransformers(json);
}

function fromTransformers(json: unknown): InternVitConfig {
  const hf = parseHuggingFace('intern-vit', transformers, json, 'vision_config');
  return {
    ...visionFromHuggingFace(hf),
    norm: hf.norm_type,
    qkvBias: hf.attention_bias,
    qkNorm: hf.use_qk_norm,
    postNorm: !hf.use_mean_pooling,
    layerScale: hf.layer_scale_init_value,
    features: takenFeatures(json, !hf.use_mean_pooling),
  };
}

/** What InternVL takes: −1, its default, is the state after the last norm, any other layer's is before it. */
function takenFeatures(json: unknown, postNorm: boolean): InternVitConfig['features'] {
  const layers = takenLayers('intern-vit', json) ?? [-1];
  return { layers, norm: postNorm && layers.every((layer) => layer === -1) };
}

function fromOriginal(json: unknown): InternVitConfig {
  const hf = parseHuggingFace('intern-vit', original, json, 'vision_config');
  return {
    ...visionFromHuggingFace(hf),
    norm: hf.norm_type,
    qkvBias: hf.qkv_bias,
    qkNorm: hf.qk_normalization,
    postNorm: false,
    layerScale: hf.initializer_factor,
    features: { layers: [parseHuggingFace('intern-vit', chat, json).select_layer] },
  };
}
