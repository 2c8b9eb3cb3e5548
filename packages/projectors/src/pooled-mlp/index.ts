import { type ProjectorFactory, parseConfig, sizeSchema } from '@mmllm/core';
import { ACTIVATIONS, type Activation } from '@mmllm/nn';
import { z } from 'zod';
import { hiddenAct, parseHuggingFace } from '../shared/hugging-face';
import { below, convName, linearNames, type ProjectorCheckpoint, usualPrefixes } from '../shared/names';
import { PooledMlp } from './projector';

export interface PooledMlpConfig {
  /** Side of the square of tokens that becomes one. Default 2. */
  poolSize?: number;
  /** A convolution that keeps the width, or the mean. Default `conv`. */
  pooling?: 'conv' | 'mean';
  /** A learned token after each row of the pooled grid. Default `row`. */
  newline?: 'row' | 'none';
  /** Between the layers. Default `gelu`. */
  activation?: Activation;
}

const pooling = z.enum(['conv', 'mean']);
const newline = z.enum(['row', 'none']);

const schema = z.strictObject({
  poolSize: sizeSchema.default(2),
  pooling: pooling.default('conv'),
  newline: newline.default('row'),
  activation: z.enum(ACTIVATIONS).default('gelu'),
});

const huggingFace = z.object({
  projector_config: z.object({
    model_type: z.literal('pooled_mlp').default('pooled_mlp'),
    pooling: pooling.default('conv'),
    pool_size: sizeSchema.default(2),
    newline: newline.nullable().default('row'),
    hidden_act: hiddenAct,
  }),
});

/** No weights of it are published: these are the names of LLaVA and LLaVA-NeXT. */
const checkpoint: ProjectorCheckpoint<PooledMlpConfig> = {
  config(json) {
    const { projector_config: hf } = parseHuggingFace('pooled-mlp', huggingFace, json);
    return {
      poolSize: hf.pool_size,
      pooling: hf.pooling,
      newline: hf.newline ?? 'none',
      activation: hf.hidden_act,
    };
  },
  names: ({ poolSize = 2 }, prefixes = usualPrefixes) =>
    below(prefixes, [
      convName('conv', 'conv', [poolSize, poolSize]),
      { ours: 'conv.bias', theirs: 'conv.bias' },
      ...linearNames('layers.0', 'linear_1'),
      ...linearNames('layers.1', 'linear_2'),
      { ours: 'newline', theirs: 'image_newline' },
    ]),
};

function build(config: PooledMlpConfig = {}): ProjectorFactory {
  const options = parseConfig('pooled-mlp', schema, config);
  return {
    specVersion: 'projector/v1',
    name: 'pooled-mlp',
    build: (sizes) => new PooledMlp({ ...options, ...sizes }),
  };
}

/**
 * Pooling and an MLP, as in Baichuan-Omni (Li et al. 2024, arXiv:2410.08565): each square of tokens becomes one, then two
 * layers, then one learned token after each row of the grid. Rows and columns that fill no whole square fall away, as do
 * tokens in front of the grid: 27×27 become 13×14.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const pooledMlp = Object.assign(build, { checkpoint });
