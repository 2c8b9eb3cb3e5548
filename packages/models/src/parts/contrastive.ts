import type { JsonObject, NameMap } from '@mmllm/checkpoints';
import { parseConfig } from '@mmllm/core';
import {
  type ClipConfig,
  ClipModel,
  type ContrastiveModel,
  clip,
  clipModelNames,
  clipText,
  type VisionTransformer,
} from '@mmllm/vision-encoders/clip';
import {
  type SiglipConfig,
  SiglipModel,
  siglip,
  siglipModelNames,
  siglipText,
} from '@mmllm/vision-encoders/siglip';
import { z } from 'zod';

/** Two towers as a `config.json` describes them, shape-only, and their names in a file. */
export interface TwoTowerSystem {
  readonly model: ContrastiveModel;
  /** The image tower of the model. */
  readonly vision: VisionTransformer;
  readonly names: NameMap;
}

const projection = z.looseObject({ projection_dim: z.int().positive().default(512) });

/** `CLIPModel`, OpenCLIP's among them. `changes` to the configuration of its image tower. */
export function composeClip(json: JsonObject, changes: Partial<ClipConfig> = {}): TwoTowerSystem {
  const config = clip.checkpoint.config(json);
  const vision = clip({ ...config, ...changes });
  const text = clipText(clipText.checkpoint.config(json));
  const { projection_dim: projectionSize } = parseConfig('config.json', projection, json);
  return { model: new ClipModel({ vision, text, projectionSize }), vision, names: clipModelNames(config) };
}

/** `SiglipModel`. `changes` to the configuration of its image tower. */
export function composeSiglip(json: JsonObject, changes: Partial<SiglipConfig> = {}): TwoTowerSystem {
  const config = siglip.checkpoint.config(json);
  const vision = siglip({ ...config, ...changes });
  const text = siglipText(siglipText.checkpoint.config(json));
  return { model: new SiglipModel({ vision, text }), vision, names: siglipModelNames(config) };
}
