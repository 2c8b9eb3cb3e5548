import { type ProjectorFactory, parseConfig, sizeSchema } from '@mmllm/core';
import { z } from 'zod';
import { AveragePooling } from './projector';

export interface AveragePoolingConfig {
  /** Side of the square of tokens that becomes one. Default 2. */
  poolSize?: number;
}

const schema = z.strictObject({ poolSize: sizeSchema.default(2) });

/**
 * Each square of tokens becomes its mean, the cheapest way to fewer tokens (DeCo, Yao et al. 2024, arXiv:2405.20985, finds
 * it as good as learned ones). A linear layer `proj` follows where encoder and decoder differ in width. Rows and columns
 * that fill no whole square fall away, as do tokens in front of the grid.
 *
 * @throws ConfigError for an unknown key or value.
 */
export function averagePooling(config: AveragePoolingConfig = {}): ProjectorFactory {
  const options = parseConfig('average-pooling', schema, config);
  return {
    specVersion: 'projector/v1',
    name: 'average-pooling',
    build: (sizes) => new AveragePooling({ ...options, ...sizes }),
  };
}
