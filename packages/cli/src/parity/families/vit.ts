import { loadWeights } from '@mmllm/checkpoints';
import { vit as vitTower } from '@mmllm/vision-encoders/vit';
import type { ParityCase } from '../case';
import type { ParityFamily } from '.';
import { compareLarge, compareTower, type PictureSize, type Tower } from './tower';

export const vit: ParityFamily = async (golden, comparison) => {
  const tower = await load(golden);
  await compareTower(tower, golden, comparison);
  tower.dispose();
  const large = async (size: PictureSize) => {
    const owner = await load(golden, size);
    return { tower: owner, owner };
  };
  await compareLarge(large, golden, comparison);
};

/** With all tokens as features, the class token among them. */
async function load(golden: ParityCase, inputSize?: PictureSize): Promise<Tower> {
  const config = vitTower.checkpoint.config(await golden.config());
  const tower = vitTower({ ...config, inputSize, features: { classToken: 'keep' } });
  await loadWeights(tower, await golden.weights(), vitTower.checkpoint.names(config));
  return tower;
}
