import type { ImageEncoder } from '@mmllm/core';
import { clip } from '@mmllm/vision-encoders/clip';
import { internVit } from '@mmllm/vision-encoders/intern-vit';
import { mllama } from '@mmllm/vision-encoders/mllama';
import { pixtral } from '@mmllm/vision-encoders/pixtral';
import { siglip } from '@mmllm/vision-encoders/siglip';
import { vit } from '@mmllm/vision-encoders/vit';
import type { Json } from './architecture';

/** Image towers by the `model_type` of their configuration. */
export const towers: Readonly<Record<string, (json: Json) => ImageEncoder>> = {
  clip_vision_model: (json) => clip(clip.checkpoint.config(json)),
  siglip_vision_model: (json) => siglip(siglip.checkpoint.config(json)),
  internvl_vision: (json) => internVit(internVit.checkpoint.config(json)),
  intern_vit_6b: (json) => internVit(internVit.checkpoint.config(json)),
  mllama_vision_model: (json) => mllama(mllama.checkpoint.config(json)),
  pixtral: (json) => pixtral(pixtral.checkpoint.config(json)),
  vit: (json) => vit(vit.checkpoint.config(json)),
};
