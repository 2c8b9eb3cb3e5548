import { type JsonObject, loadWeights, type NameMap } from '@mmllm/checkpoints';
import { internVit as internVitTower } from '@mmllm/vision-encoders/intern-vit';
import { vit as vitTower } from '@mmllm/vision-encoders/vit';
import type { ParityFamily } from '.';
import { compareLarge, compareTower, type PictureSize, type Tower } from './tower';

/** A tower that stands alone in its file, on pictures of another size if asked. */
type Build = (
  json: JsonObject,
  inputSize?: PictureSize,
) => { tower: ReturnType<typeof vitTower>; names: NameMap };

const towerAlone =
  (build: Build): ParityFamily =>
  async (golden, comparison) => {
    const load = async (inputSize?: PictureSize): Promise<Tower> => {
      const { tower, names } = build(await golden.config(), inputSize);
      await loadWeights(comparison.own(tower), await golden.weights(), names);
      return tower;
    };
    await compareTower(await load(), golden, comparison);
    await compareLarge(load, golden, comparison);
  };

// All tokens are features, the class token among them, after the last norm where there is one.

export const vit = towerAlone((json, inputSize) => {
  const config = vitTower.checkpoint.config(json);
  const tower = vitTower({ ...config, inputSize, features: { classToken: 'keep' } });
  return { tower, names: vitTower.checkpoint.names(config) };
});

export const internVit = towerAlone((json, inputSize) => {
  const config = internVitTower.checkpoint.config(json);
  const features = { classToken: 'keep', norm: config.postNorm } as const;
  const tower = internVitTower({ ...config, inputSize, features });
  return { tower, names: internVitTower.checkpoint.names(config) };
});
