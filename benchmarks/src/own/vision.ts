import { join } from 'node:path';
import { composeMaps, prefixMap } from '@mmllm/checkpoints';
import { type ImageBatch, Module } from '@mmllm/core';
import { Linear } from '@mmllm/nn';
import { clip, type VisionTransformer } from '@mmllm/vision-encoders/clip';
import { siglip } from '@mmllm/vision-encoders/siglip';
import * as tf from '@tensorflow/tfjs-core';
import type { Engine, Setting, Work } from '../engine.ts';
import { readConfig, readTensors } from '../files.ts';
import { fill } from './fill.ts';
import { pictureBatch } from './pictures.ts';

/** CLIP's image tower with the projection into the space that it shares with text. */
class ProjectedClip extends Module {
  readonly vision: VisionTransformer;
  readonly projection: Linear;

  constructor(vision: VisionTransformer, projectionSize: number) {
    super();
    this.vision = vision;
    this.projection = new Linear(vision.pooledSize, projectionSize, { bias: false });
  }

  pooled(batch: ImageBatch): tf.Tensor2D {
    return tf.tidy(() => this.projection.forward(this.vision.pooled(batch)));
  }
}

async function openClip(folder: string): Promise<ProjectedClip> {
  const json = await readConfig(folder);
  const config = clip.checkpoint.config(json);
  const model = new ProjectedClip(clip(config), Number(json.projection_dim));
  const names = composeMaps(
    { rules: [{ ours: 'projection.weight', theirs: 'visual_projection.weight', layout: 'linear' }] },
    prefixMap(clip.checkpoint.names(config), { ours: 'vision' }),
  );
  await fill(model, folder, names);
  return model;
}

async function openSiglip(folder: string): Promise<VisionTransformer> {
  const config = siglip.checkpoint.config(await readConfig(folder));
  const model = siglip(config);
  await fill(model, folder, siglip.checkpoint.names(config));
  return model;
}

export async function openVision(
  { model: name, batch }: Extract<Work, { kind: 'vision' }>,
  { models }: Setting,
): Promise<Engine> {
  const folder = join(models, name);
  const model = await (name.startsWith('clip') ? openClip(folder) : openSiglip(folder));
  const golden = await readTensors(join(folder, 'golden.safetensors'));
  const pictures = pictureBatch(golden('pixel_values'), batch);
  return {
    async run() {
      const embeddings = model.pooled(pictures);
      const values = await embeddings.data();
      embeddings.dispose();
      return { values: () => values };
    },
  };
}
