import { parseConfig, sizeSchema } from '@mmllm/core';
import { z } from 'zod';
import type { VqCheckpoint } from '../shared/checkpoint';
import {
  checkGroups,
  fromHuggingFace,
  huggingFaceKeys,
  parseHuggingFace,
  strideOf,
  type VqConfig,
  vqKeys,
} from '../shared/config';
import { janusVqNames } from './names';
import { JanusVq } from './tokenizer';

export type { JanusVq } from './tokenizer';

/** Defaults are those of Janus-1.3B: 16 384 codes of 8 values, 128 channels times 1, 1, 2, 2, 4. */
export interface JanusVqConfig extends VqConfig {
  /** Channels between encoder and decoder. Default 256. */
  latentSize?: number;
  /** Side of the square pictures that it is made for, in pixels; it takes others too. Default 384. */
  imageSize?: number;
}

const usual = { codeSize: 8, baseChannels: 128, channelMultipliers: [1, 1, 2, 2, 4] };

const schema = z.strictObject({
  ...vqKeys({ ...usual, codebookSize: 16_384 }),
  latentSize: sizeSchema.default(256),
  imageSize: sizeSchema.default(384),
});

/** `JanusVQVAEConfig` of transformers, with its defaults. */
const huggingFace = z.object({
  ...huggingFaceKeys(usual),
  num_embeddings: sizeSchema.default(16_384),
  latent_channels: sizeSchema.default(256),
  num_patches: sizeSchema.default(32),
});

const checkpoint: VqCheckpoint<JanusVqConfig> = {
  config(json) {
    const hf = parseHuggingFace('janus-vq', huggingFace, json);
    const config = fromHuggingFace(hf);
    return {
      ...config,
      codebookSize: hf.num_embeddings,
      latentSize: hf.latent_channels,
      imageSize: hf.num_patches * strideOf(config),
    };
  },
  names: (_, prefixes = ['', 'model.vqmodel', 'vqmodel']) => janusVqNames(prefixes),
};

function build(config: JanusVqConfig = {}): JanusVq {
  const parsed = parseConfig('janus-vq', schema, config);
  const attentionLevels = [parsed.channelMultipliers.length - 1];
  const options = { ...parsed, attentionLevels, numHeads: 1 };
  checkGroups('janus-vq', options);
  return new JanusVq(options);
}

/**
 * The tokenizer of LlamaGen (Sun et al. 2024, arXiv:2406.06525), which Janus makes pictures with: VQGAN's convolutions
 * with attention at the smallest resolution, and a code for each 16 × 16 pixels. Vectors of codes are decoded at unit
 * length. Pixels are from −1 to 1.
 *
 * As in transformers, a code is the nearest vector as it is stored, which is LlamaGen's if all are stored at unit length.
 *
 * @throws ConfigError for an unknown key or value, or channels that 32 does not divide.
 */
export const janusVq = Object.assign(build, { checkpoint });
