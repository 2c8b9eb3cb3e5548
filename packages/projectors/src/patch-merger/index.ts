import { type ProjectorFactory, parseConfig, sizeSchema } from '@mmllm/core';
import { ACTIVATIONS, type Activation } from '@mmllm/nn';
import { z } from 'zod';
import { parseHuggingFace } from '../shared/hugging-face';
import { below, linearNames, normNames, type ProjectorCheckpoint } from '../shared/names';
import { PatchMerger } from './projector';

export interface PatchMergerConfig {
  /** Side of the square of tokens that becomes one. Default 2. */
  mergeSize?: number;
  /** Default 1e-6. */
  layerNormEps?: number;
  /** Between the layers. Default `gelu`. */
  activation?: Activation;
}

const schema = z.strictObject({
  mergeSize: sizeSchema.default(2),
  layerNormEps: z.number().positive().default(1e-6),
  activation: z.enum(ACTIVATIONS).default('gelu'),
});

const huggingFace = z.object({
  // The mergers of its successors are others.
  model_type: z.literal('qwen2_vl').default('qwen2_vl'),
  vision_config: z.object({ spatial_merge_size: sizeSchema.default(2) }).prefault({}),
});

/** As transformers writes Qwen2-VL. */
const checkpoint: ProjectorCheckpoint<PatchMergerConfig> = {
  config(json) {
    const { vision_config } = parseHuggingFace('patch-merger', huggingFace, json);
    return { mergeSize: vision_config.spatial_merge_size };
  },
  names: (_, prefixes = ['visual.merger', 'model.visual.merger', 'merger']) =>
    below(prefixes, [
      ...normNames('norm', 'ln_q'),
      ...linearNames('layers.0', 'mlp.0'),
      ...linearNames('layers.1', 'mlp.2'),
    ]),
};

function build(config: PatchMergerConfig = {}): ProjectorFactory {
  const options = parseConfig('patch-merger', schema, config);
  return {
    specVersion: 'projector/v1',
    name: 'patch-merger',
    build: (sizes) => new PatchMerger({ ...options, ...sizes }),
  };
}

/**
 * The merger of Qwen2-VL (Wang et al. 2024, arXiv:2409.12191): a LayerNorm of every token, each square of tokens side by
 * side in the channels, and an MLP as wide as the square. Tokens come
 * and go row by row, where the published code has the squares one after the other. Sides must be whole multiples.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const patchMerger = Object.assign(build, { checkpoint });
