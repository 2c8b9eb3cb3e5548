import type { JsonObject } from '@mmllm/checkpoints';
import type { ImageEncoder } from '@mmllm/core';
import { aria } from '@mmllm/vision-encoders/aria';
import { clip, type TilingConfig } from '@mmllm/vision-encoders/clip';
import { internVit, internVitOriginalNames } from '@mmllm/vision-encoders/intern-vit';
import { janus } from '@mmllm/vision-encoders/janus';
import { mllama } from '@mmllm/vision-encoders/mllama';
import { pixtral } from '@mmllm/vision-encoders/pixtral';
import { siglip } from '@mmllm/vision-encoders/siglip';
import { vit } from '@mmllm/vision-encoders/vit';
import { z } from 'zod';
import { readConfig } from './config';
import { partOf } from './part-of';
import { type Family, type Wired, wired } from './wired';

/** An image tower as a `config.json` describes it, shape-only. */
export type TowerReader = (
  json: JsonObject,
  options?: { readonly prefixes?: string | readonly string[]; readonly tiling?: TilingConfig },
) => Wired<ImageEncoder>;

/** A tower whose pictures may be cut into tiles. */
const tileable =
  <Config extends { tiling?: TilingConfig }>(family: Family<Config, ImageEncoder>): TowerReader =>
  (json, { prefixes, tiling } = {}) =>
    // Only its own key changes.
    wired(family, json, prefixes, tiling && ({ tiling } as Partial<Config>));

/** A tower that cuts pictures in its own way, or takes them whole. */
const reader =
  <Config>(family: Family<Config, ImageEncoder>): TowerReader =>
  (json, { prefixes } = {}) =>
    wired(family, json, prefixes);

const dummies = z.looseObject({ num_dummy_heads: z.int().nonnegative().max(256).default(0) });

/** InternViT in OpenGVLab's and NVIDIA's own files: other names, and heads of zeros in some. */
const originalInternVit: TowerReader = (json, { prefixes, tiling } = {}) => {
  const { num_dummy_heads: numDummyHeads } = readConfig(dummies, json.vision_config as JsonObject);
  const config = { ...internVit.checkpoint.config(json), numDummyHeads, ...(tiling && { tiling }) };
  return { part: internVit(config), names: internVitOriginalNames(config, prefixes) };
};

/** Image towers by the `model_type` of their configuration. */
export const towers: Readonly<Record<string, TowerReader>> = {
  idefics3_vision: reader(aria),
  clip_vision_model: tileable(clip),
  siglip_vision_model: tileable(siglip),
  internvl_vision: tileable(internVit),
  intern_vit_6b: originalInternVit,
  janus_vision_model: reader(janus),
  mllama_vision_model: reader(mllama),
  pixtral: reader(pixtral),
  vit: tileable(vit),
};

/** transformers 5 writes the first, older files have the others. */
const usualPrefixes = ['vision_tower', 'vision_tower.vision_model', 'model.vision_tower'];

export interface TowerPlace {
  /** Its `model_type` where the file says none. */
  readonly usual: string;
  /** What stands before its names in the file: the first is written, all are loaded. */
  readonly prefixes?: readonly string[];
  /** How the system cuts pictures. Default: each is one view. */
  readonly tiling?: TilingConfig;
}

/**
 * The image tower of a whole model, in `vision_config`; the model says which of its features it takes.
 * @throws ConfigError for a kind or a value outside the known set.
 */
export function towerOf(
  json: JsonObject,
  { usual, prefixes = usualPrefixes, tiling }: TowerPlace,
): Wired<ImageEncoder> {
  const [read, vision] = partOf(json, 'vision_config', towers, usual);
  return read({ ...json, vision_config: vision }, { prefixes, tiling });
}
