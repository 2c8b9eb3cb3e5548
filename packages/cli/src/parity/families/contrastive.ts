import { loadWeights, type NameMap } from '@mmllm/checkpoints';
import { parseConfig } from '@mmllm/core';
import {
  ClipModel,
  type ContrastiveModel,
  clipModelNames,
  clipText,
  clip as clipTower,
} from '@mmllm/vision-encoders/clip';
import {
  SiglipModel,
  siglipModelNames,
  siglipText,
  siglip as siglipTower,
} from '@mmllm/vision-encoders/siglip';
import { z } from 'zod';
import type { ParityCase } from '../case';
import type { ParityFamily } from '.';
import { densePictures } from './pictures';
import { compareLarge, compareTower, type PictureSize, type Tower } from './tower';

/** A model with the weights of a case. */
export interface TwoTowerModel {
  readonly model: ContrastiveModel;
  readonly vision: Tower;
  readonly names: NameMap;
}

const projection = z.looseObject({ projection_dim: z.int().positive().default(512) });

/** CLIP and OpenCLIP. */
export async function loadClip(golden: ParityCase, inputSize?: PictureSize): Promise<TwoTowerModel> {
  const json = await golden.config();
  const config = clipTower.checkpoint.config(json);
  const { projection_dim } = parseConfig('config.json', projection, json as z.input<typeof projection>);
  // The last hidden state has its class token, and no norm.
  const vision = clipTower({ ...config, inputSize, features: { layers: [-1], classToken: 'keep' } });
  const text = clipText(clipText.checkpoint.config(json));
  const model = new ClipModel({ vision, text, projectionSize: projection_dim });
  const names = clipModelNames(config);
  await loadWeights(model, await golden.weights(), names);
  return { model, vision, names };
}

export async function loadSiglip(golden: ParityCase, inputSize?: PictureSize): Promise<TwoTowerModel> {
  const json = await golden.config();
  const config = siglipTower.checkpoint.config(json);
  const vision = siglipTower({ ...config, inputSize });
  const model = new SiglipModel({ vision, text: siglipText(siglipText.checkpoint.config(json)) });
  const names = siglipModelNames(config);
  await loadWeights(model, await golden.weights(), names);
  return { model, vision, names };
}

export const clip = contrastive(loadClip);
export const siglip = contrastive(loadSiglip);

/** Both towers, their embeddings and the logits; the image tower on pictures of another size, too. */
function contrastive(
  load: (golden: ParityCase, inputSize?: PictureSize) => Promise<TwoTowerModel>,
): ParityFamily {
  return async (golden, comparison) => {
    const { model, vision } = await load(golden);
    await compareTower(vision, golden, comparison);
    const batch = densePictures(await golden.floats('in.pixels'));
    const image = model.imageEmbeddings(batch);
    const text = model.textEmbeddings(await golden.ids('in.ids'));
    await comparison.giveAll({
      'out.logits_per_image': model.logits(image, text),
      'out.image_embeds': image,
      'out.text_embeds': text,
    });
    batch.pixels.dispose();
    model.dispose();
    const large = async (size: PictureSize) => {
      const { model: owner, vision: tower } = await load(golden, size);
      return { tower, owner };
    };
    await compareLarge(large, golden, comparison);
  };
}
