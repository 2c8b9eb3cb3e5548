import { loadWeights } from '@mmllm/checkpoints';
import { internVit as internVitTower } from '@mmllm/vision-encoders/intern-vit';
import type { ParityFamily } from '.';
import { compareTower } from './tower';

/** With all tokens as features, the class token among them, and the last norm where there is one. */
export const internVit: ParityFamily = async (golden, comparison) => {
  const config = internVitTower.checkpoint.config(await golden.config());
  const features = { classToken: 'keep', norm: config.postNorm } as const;
  const tower = internVitTower({ ...config, features });
  await loadWeights(tower, await golden.weights(), internVitTower.checkpoint.names(config));
  await compareTower(tower, golden, comparison);
  tower.dispose();
};
