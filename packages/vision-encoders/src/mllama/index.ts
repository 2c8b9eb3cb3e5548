import { parseConfig } from '@mmllm/core';
import type { TowerCheckpoint } from '../shared/checkpoint';
import { fromHuggingFace, type MllamaConfig, resolve, schema } from './config';
import { mllamaNames } from './names';
import { MllamaVision } from './vision';

export type { TowerCheckpoint } from '../shared/checkpoint';
export type { AspectRatio, MllamaConfig } from './config';
export type { MllamaVision } from './vision';

const checkpoint: TowerCheckpoint<MllamaConfig> = { config: fromHuggingFace, names: mllamaNames };

function build(config: MllamaConfig): MllamaVision {
  return new MllamaVision(resolve(parseConfig('mllama', schema, config)));
}

/**
 * The image tower of Llama 3.2 Vision (Grattafiori et al. 2024, arXiv:2407.21783, section 7; mllama in transformers).
 * A picture is a canvas of up to `maxTiles` tiles that all see each other. A row of its features is the last global
 * layer's state, then those of the `intermediateLayers` channel by channel: the first channel of each, then the second.
 *
 * Global layers start almost closed, and so do the embeddings of the tiles.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const mllama = Object.assign(build, { checkpoint });
