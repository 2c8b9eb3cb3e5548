import { loadWeights } from '@mmllm/checkpoints';
import { internVit as internVitTower } from '@mmllm/vision-encoders/intern-vit';
import type { ParityCase } from '../case';
import type { ParityFamily } from '.';
import { compareLarge, compareTower, type PictureSize, type Tower } from './tower';

export const internVit: ParityFamily = async (golden, comparison) => {
  const tower = await load(golden);
  await compareTower(tower, golden, comparison);
  tower.dispose();
  const large = async (size: PictureSize) => {
    const owner = await load(golden, size);
    return { tower: owner, owner };
  };
  await compareLarge(large, golden, comparison);
};

/** With all tokens as features, the class token among them, and the last norm where there is one. */
async function load(golden: ParityCase, inputSize?: PictureSize): Promise<Tower> {
  const config = internVitTower.checkpoint.config(await golden.config());
  const features = { classToken: 'keep', norm: config.postNorm } as const;
  const tower = internVitTower({ ...config, inputSize, features });
  await loadWeights(tower, await golden.weights(), internVitTower.checkpoint.names(config));
  return tower;
}
