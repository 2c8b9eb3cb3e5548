import { type JsonObject, loadWeights } from '@mmllm/checkpoints';
import { composeClip, composeSiglip, type TwoTowerSystem } from '@mmllm/models';
import type { ParityCase } from '../case';
import type { Comparison } from '../comparison';
import type { ParityFamily } from '.';
import { densePictures } from './pictures';
import { compareLarge, compareTower, type PictureSize } from './tower';

/** Two towers, of which the image tower takes pictures of another size if asked. */
type Compose = (json: JsonObject, inputSize?: PictureSize) => TwoTowerSystem;

/** CLIP and OpenCLIP; their last hidden state has its class token, and no norm. */
export const clipTowers: Compose = (json, inputSize) =>
  composeClip(json, { inputSize, features: { layers: [-1], classToken: 'keep' } });

export const siglipTowers: Compose = (json, inputSize) => composeSiglip(json, { inputSize });

/** The towers with the weights of a case; the comparison frees them. */
export async function loadTowers(
  compose: Compose,
  golden: ParityCase,
  comparison: Comparison,
  inputSize?: PictureSize,
): Promise<TwoTowerSystem> {
  const system = compose(await golden.config(), inputSize);
  await loadWeights(comparison.own(system.model), await golden.weights(), system.names);
  return system;
}

/** Both towers, their embeddings and the logits; the image tower on pictures of another size, too. */
const contrastive =
  (compose: Compose): ParityFamily =>
  async (golden, comparison) => {
    const { model, vision } = await loadTowers(compose, golden, comparison);
    await compareTower(vision, golden, comparison);
    const batch = densePictures(await golden.floats('in.pixels'));
    comparison.own(batch.pixels);
    const ids = await golden.ids('in.ids');
    const image = model.imageEmbeddings(batch);
    const text = model.textEmbeddings(ids);
    await comparison.giveAll({
      'out.logits_per_image': model.logits(image, text),
      'out.image_embeds': image,
      'out.text_embeds': text,
    });
    const large = async (size: PictureSize) => (await loadTowers(compose, golden, comparison, size)).vision;
    await compareLarge(large, golden, comparison);
  };

export const clip = contrastive(clipTowers);
export const siglip = contrastive(siglipTowers);
