import { parseConfig } from '@mmllm/core';
import type { TowerCheckpoint } from '../shared/checkpoint';
import { fromPublished, type MolmoConfig, resolve, schema } from './config';
import { molmoNames } from './names';
import { MolmoVision } from './vision';

export type { TowerCheckpoint } from '../shared/checkpoint';
export { unpatchify } from '../shared/patch-embedding';
export type { MolmoConfig } from './config';
export type { MolmoVision } from './vision';

const checkpoint: TowerCheckpoint<MolmoConfig> = { config: fromPublished, names: molmoNames };

function build(config: MolmoConfig): MolmoVision {
  return new MolmoVision(resolve(parseConfig('molmo', schema, config)));
}

/**
 * The image tower of Molmo (Deitke et al. 2024, arXiv:2409.17146): CLIP's, cut after the layers that are read, on a
 * small view of the whole picture and overlapping crops of a larger one.
 *
 * `coverage` of the batch says which patches are padding. Molmo's own processor is off by one there, in training too: a
 * view has the mask of the next one, and the last has −1. The tower takes what the batch says.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const molmo = Object.assign(build, { checkpoint });
