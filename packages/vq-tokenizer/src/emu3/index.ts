import { ConfigError, MAX_LAYERS, parseConfig, sizeSchema } from '@mmllm/core';
import { z } from 'zod';
import type { VqCheckpoint } from '../shared/checkpoint';
import {
  checkGroups,
  fromHuggingFace,
  huggingFaceKeys,
  parseHuggingFace,
  type VqConfig,
  vqKeys,
} from '../shared/config';
import { emu3VqNames } from './names';
import { Emu3Vq } from './tokenizer';

export type { Emu3Vq } from './tokenizer';

/** Defaults are the published ones: 32 768 codes of 4 values, 256 channels times 1, 2, 2, 4. */
export interface Emu3VqConfig extends VqConfig {
  /** Which resolutions have attention behind every block; 0 is the largest. Default 3. */
  attentionLevels?: readonly number[];
  /** Of the attention. Default 1. */
  numHeads?: number;
  /** Frames of a video that one code stands for, a power of 2; a picture is repeated so often. Default 4. */
  framesPerCode?: number;
}

const usual = { codeSize: 4, baseChannels: 256, channelMultipliers: [1, 2, 2, 4] };

const levelsSchema = z.array(z.int().nonnegative().max(MAX_LAYERS)).max(MAX_LAYERS).readonly();
const framesSchema = z
  .int()
  .positive()
  .max(64)
  .refine((frames) => Number.isInteger(Math.log2(frames)), 'expected a power of 2');

const schema = z.strictObject({
  ...vqKeys({ ...usual, codebookSize: 32_768 }),
  attentionLevels: levelsSchema.default([3]),
  numHeads: sizeSchema.default(1),
  framesPerCode: framesSchema.default(4),
});

/** `Emu3VQVAEConfig` of transformers, with its defaults. */
const huggingFace = z.object({
  ...huggingFaceKeys(usual),
  codebook_size: sizeSchema.default(32_768),
  latent_channels: sizeSchema.default(4),
  temporal_downsample_factor: framesSchema.default(4),
  attn_resolutions: levelsSchema.default([3]),
  hidden_size: sizeSchema.default(1024),
  num_attention_heads: sizeSchema.default(1),
});

const refuse = (key: string, expected: string, actual: unknown) =>
  new ConfigError({ component: `emu3-vq.${key}`, expected, actual: String(actual) });

const checkpoint: VqCheckpoint<Emu3VqConfig> = {
  config(json) {
    const hf = parseHuggingFace('emu3-vq', huggingFace, json);
    const { embed_dim: codeSize, latent_channels: latentSize, hidden_size: width } = hf;
    // Both go through the same convolutions over frames.
    if (latentSize !== codeSize) throw refuse('latent_channels', `embed_dim, ${codeSize}`, latentSize);
    const config = fromHuggingFace(hf);
    const channels = config.baseChannels * (config.channelMultipliers.at(-1) ?? 1);
    if (width !== channels) throw refuse('hidden_size', `${channels}, the channels inside`, width);
    return {
      ...config,
      codebookSize: hf.codebook_size,
      attentionLevels: hf.attn_resolutions,
      numHeads: hf.num_attention_heads,
      framesPerCode: hf.temporal_downsample_factor,
    };
  },
  names: ({ channelMultipliers = usual.channelMultipliers }, prefixes = ['', 'model.vqmodel', 'vqmodel']) =>
    emu3VqNames(channelMultipliers.length, prefixes),
};

function build(config: Emu3VqConfig = {}): Emu3Vq {
  const parsed = parseConfig('emu3-vq', schema, config);
  const options = { ...parsed, latentSize: parsed.codeSize };
  checkGroups('emu3-vq', options);
  return new Emu3Vq(options);
}

/**
 * The tokenizer of Emu3 (Wang et al. 2024, arXiv:2409.18869), for pictures: MoVQ's convolutions (Zheng et al. 2022,
 * arXiv:2209.09002), whose decoder is conditioned on the codes in every norm, and causal ones over frames. A code is the
 * nearest vector and stands for 8 × 8 pixels of four frames; a picture is four frames alike, of which the first is decoded.
 * Pixels are from −1 to 1.
 *
 * @throws ConfigError for an unknown key or value, or channels that 32 or the heads do not divide.
 */
export const emu3Vq = Object.assign(build, { checkpoint });
