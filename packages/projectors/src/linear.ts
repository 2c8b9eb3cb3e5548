import { type ProjectorFactory, parseConfig } from '@mmllm/core';
import { z } from 'zod';
import { MlpProjector } from './mlp-projector';

export interface LinearConfig {
  /** Default true. */
  bias?: boolean;
}

const schema = z.strictObject({ bias: z.boolean().default(true) });

/**
 * One linear layer, as in PaliGemma (Beyer et al. 2024, arXiv:2407.07726) and, on raw patches, in Fuyu. Its parameters
 * are `layers.0.weight` and `layers.0.bias`.
 *
 * @throws ConfigError for an unknown key or value.
 */
export function linear(config: LinearConfig = {}): ProjectorFactory {
  const { bias } = parseConfig('linear projector', schema, config);
  return {
    specVersion: 'projector/v1',
    name: 'linear',
    build: (sizes) => new MlpProjector({ name: 'linear', numLayers: 1, bias, ...sizes }),
  };
}
