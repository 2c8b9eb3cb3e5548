import { parseConfig } from '@mmllm/core';
import { ClipModel, clip, clipText } from '@mmllm/vision-encoders/clip';
import { SiglipModel, siglip, siglipText } from '@mmllm/vision-encoders/siglip';
import { z } from 'zod';
import { type Architecture, type Json, towerAlone } from './architecture';

const projection = z.looseObject({ projection_dim: z.int().positive().default(512) });
const components = [
  ['vision', 'vision.'],
  ['text', 'text.'],
] as const;

/** `CLIPModel`, OpenCLIP's among them. */
export function clipModel(json: Json): Architecture {
  const vision = clip(clip.checkpoint.config(json));
  const text = clipText(clipText.checkpoint.config(json));
  const { projection_dim: projectionSize } = parseConfig('config.json', projection, json);
  const model = new ClipModel({ vision, text, projectionSize });
  return { ...towerAlone(vision), model, components };
}

/** `SiglipModel` */
export function siglipModel(json: Json): Architecture {
  const vision = siglip(siglip.checkpoint.config(json));
  const model = new SiglipModel({ vision, text: siglipText(siglipText.checkpoint.config(json)) });
  return { ...towerAlone(vision), model, components };
}
