import type { JsonObject, NameMap } from '@mmllm/checkpoints';
import type { ImageEncoder } from '@mmllm/core';
import { clip, type TowerCheckpoint } from '@mmllm/vision-encoders/clip';
import { internVit } from '@mmllm/vision-encoders/intern-vit';
import { mllama } from '@mmllm/vision-encoders/mllama';
import { pixtral } from '@mmllm/vision-encoders/pixtral';
import { siglip } from '@mmllm/vision-encoders/siglip';
import { vit } from '@mmllm/vision-encoders/vit';

/** An image tower as a `config.json` describes it, shape-only, and its names in a file. */
export interface TowerReader {
  build(json: JsonObject): ImageEncoder;
  names(json: JsonObject, prefix: string): NameMap;
}

function reader<C>(
  factory: ((config: C) => ImageEncoder) & { readonly checkpoint: TowerCheckpoint<C> },
): TowerReader {
  const { checkpoint } = factory;
  return {
    build: (json) => factory(checkpoint.config(json)),
    names: (json, prefix) => checkpoint.names(checkpoint.config(json), prefix),
  };
}

/** Image towers by the `model_type` of their configuration. */
export const towers: Readonly<Record<string, TowerReader>> = {
  clip_vision_model: reader(clip),
  siglip_vision_model: reader(siglip),
  internvl_vision: reader(internVit),
  intern_vit_6b: reader(internVit),
  mllama_vision_model: reader(mllama),
  pixtral: reader(pixtral),
  vit: reader(vit),
};
