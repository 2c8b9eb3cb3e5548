import { composeMaps, prefixMap } from '@mmllm/checkpoints';
import { parseConfig } from '@mmllm/core';
import type { TowerCheckpoint } from '../shared/checkpoint';
import { besidesVision, visionTowerNames } from '../shared/names';
import { type AriaConfig, fromHuggingFace, resolve, schema } from './config';
import { AriaVision } from './vision';

export type { TowerCheckpoint } from '../shared/checkpoint';
export type { FeatureConfig } from '../shared/config';
export type { AriaConfig } from './config';
export type { AriaVision } from './vision';

const prefixes = [
  'vision_tower',
  'model.vision_tower',
  'vision_tower.vision_model',
  'model.vision_tower.vision_model',
  'vision_model',
  '',
];

const checkpoint: TowerCheckpoint<AriaConfig> = {
  config: fromHuggingFace,
  names({ patchSize, postNorm = true }, theirs = prefixes) {
    const tower = visionTowerNames(patchSize);
    // A tower without the norm is loaded from a file with one.
    const ignore = [...(tower.ignore ?? []), ...(postNorm ? [] : ['post_layernorm.*'])];
    return composeMaps(prefixMap({ ...tower, ignore }, { theirs }), besidesVision);
  },
};

function build(config: AriaConfig): AriaVision {
  return new AriaVision(resolve(parseConfig('aria', schema, config)));
}

/**
 * The image tower of Aria (Li et al. 2024, arXiv:2410.05993): SigLIP's, on pictures that are padded to a square and
 * keep their aspect, with positions by where a patch lies between the borders of its picture.
 *
 * Views may have any size. `coverage` of the batch says which patches are picture; a patch that is so in part counts.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const aria = Object.assign(build, { checkpoint });
