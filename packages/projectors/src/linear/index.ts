import { type ProjectorFactory, parseConfig } from '@mmllm/core';
import { z } from 'zod';
import { MlpProjector } from '../mlp/projector';
import { below, linearNames, type ProjectorCheckpoint, usualPrefixes } from '../shared/names';

export interface LinearConfig {
  /** Default true. */
  bias?: boolean;
}

const schema = z.strictObject({ bias: z.boolean().default(true) });

/** As transformers writes PaliGemma, whose `config.json` has no word on it. */
const checkpoint: ProjectorCheckpoint<LinearConfig> = {
  config: () => ({ bias: true }),
  names: (_, prefixes = usualPrefixes) => below(prefixes, linearNames('layers.0', 'linear')),
};

function build(config: LinearConfig = {}): ProjectorFactory {
  const { bias } = parseConfig('linear projector', schema, config);
  return {
    specVersion: 'projector/v1',
    name: 'linear',
    build: (sizes) => new MlpProjector({ name: 'linear', numLayers: 1, bias, ...sizes }),
  };
}

/**
 * One linear layer, as in PaliGemma (Beyer et al. 2024, arXiv:2407.07726) and, on raw patches, in Fuyu. Its parameters
 * are `layers.0.weight` and `layers.0.bias`.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const linear = Object.assign(build, { checkpoint });
