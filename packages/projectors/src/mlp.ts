import { layersSchema, type ProjectorFactory, parseConfig, sizeSchema } from '@mmllm/core';
import { ACTIVATIONS, type Activation } from '@mmllm/nn';
import { z } from 'zod';
import { MlpProjector } from './mlp-projector';

export interface MlpConfig {
  /** Default 2. */
  numLayers?: number;
  /** Between the layers. Default `gelu`. */
  activation?: Activation;
  /** Width between the layers. Default: the decoder's. */
  hiddenSize?: number;
  /** Default true. */
  bias?: boolean;
}

const schema = z.strictObject({
  numLayers: layersSchema.default(2),
  activation: z.enum(ACTIVATIONS).default('gelu'),
  hiddenSize: sizeSchema.optional(),
  bias: z.boolean().default(true),
});

/**
 * Layers with an activation between them, as in LLaVA-1.5 (Liu et al. 2023, arXiv:2310.03744). Its parameters are
 * `layers.0.weight`, `layers.0.bias`, ….
 *
 * @throws ConfigError for an unknown key or value.
 */
export function mlp(config: MlpConfig = {}): ProjectorFactory {
  const options = parseConfig('mlp projector', schema, config);
  return {
    specVersion: 'projector/v1',
    name: 'mlp',
    build: (sizes) => new MlpProjector({ name: 'mlp', ...options, ...sizes }),
  };
}
