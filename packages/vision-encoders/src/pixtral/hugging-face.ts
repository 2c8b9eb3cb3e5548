import { z } from 'zod';
import {
  axialTheta,
  hiddenAct,
  huggingFaceAxialRope,
  parseHuggingFace,
  squareSide,
  takenLayers,
} from '../shared/checkpoint';
import type { PixtralConfig } from './vision';

/** `PixtralVisionConfig` of transformers, with its defaults. */
const transformers = z.object({
  hidden_size: z.int().default(1024),
  num_hidden_layers: z.int().default(24),
  num_attention_heads: z.int().default(16),
  head_dim: z.int().nullish(),
  intermediate_size: z.int().default(4096),
  hidden_act: hiddenAct('gelu'),
  image_size: squareSide.prefault(1024),
  patch_size: z.int().default(16),
  ...huggingFaceAxialRope,
  num_channels: z.literal(3).default(3),
});

/** `vision_encoder` of the `params.json` beside Mistral's own files. Its gates are always SiLU. */
const mistral = z.object({
  hidden_size: z.int(),
  num_hidden_layers: z.int(),
  num_attention_heads: z.int(),
  intermediate_size: z.int(),
  image_size: z.int(),
  patch_size: z.int(),
  rope_theta: z.number().positive().default(10_000),
  spatial_merge_size: z.int().default(1),
  num_channels: z.literal(3).default(3),
});

/** A whole model: Mistral's, or transformers' with blocks that its projector merges (Mistral Small 3.1). */
const whole = z.looseObject({
  vision_encoder: z.unknown().optional(),
  spatial_merge_size: z.int().optional(),
});

/** Our configuration from the `config.json` of transformers, or the `params.json` of Mistral's own files. */
export function pixtralFromHuggingFace(json: unknown): PixtralConfig {
  const outer = parseHuggingFace('pixtral', whole, json);
  return outer.vision_encoder === undefined
    ? { ...fromTransformers(json), mergeSize: outer.spatial_merge_size }
    : fromMistral(json);
}

function fromTransformers(json: unknown): PixtralConfig {
  const hf = parseHuggingFace('pixtral', transformers, json, 'vision_config');
  const layers = takenLayers('pixtral', json);
  return {
    ...sizes(hf),
    headSize: hf.head_dim ?? undefined,
    activation: hf.hidden_act,
    ropeTheta: axialTheta(hf),
    features: layers && { layers },
  };
}

function fromMistral(json: unknown): PixtralConfig {
  const theirs = parseHuggingFace('pixtral', mistral, json, 'vision_encoder');
  return {
    ...sizes(theirs),
    activation: 'silu',
    ropeTheta: theirs.rope_theta,
    mergeSize: theirs.spatial_merge_size,
  };
}

type Sizes = Pick<
  z.output<typeof transformers>,
  keyof z.output<typeof transformers> & keyof z.output<typeof mistral>
>;

const sizes = (hf: Omit<Sizes, 'rope_theta'>) => ({
  hiddenSize: hf.hidden_size,
  numLayers: hf.num_hidden_layers,
  numHeads: hf.num_attention_heads,
  intermediateSize: hf.intermediate_size,
  imageSize: hf.image_size,
  patchSize: hf.patch_size,
});
