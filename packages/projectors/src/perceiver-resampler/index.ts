import { layersSchema, type ProjectorFactory, parseConfig, sizeSchema } from '@mmllm/core';
import { z } from 'zod';
import { parseHuggingFace } from '../shared/hugging-face';
import { below, normNames, type ProjectorCheckpoint, type ProjectorNameRule } from '../shared/names';
import { PerceiverResampler } from './projector';

export interface PerceiverResamplerConfig {
  /** Default 6. */
  numLayers?: number;
  /** Default 8. */
  numHeads?: number;
  /** Default 64. */
  headSize?: number;
  /** Tokens that come out for each medium. Default 64. */
  numLatents?: number;
  /** Width inside the MLPs over the encoder's. Default 4. */
  mlpRatio?: number;
  /** Learned values for each place of a view among those of its picture, at most so many. Default: none. */
  maxMedia?: number;
  /** Learned values for each frame of a video, of at most so many. Default: none. */
  maxFrames?: number;
}

const schema = z.strictObject({
  numLayers: layersSchema.default(6),
  numHeads: sizeSchema.default(8),
  headSize: sizeSchema.default(64),
  numLatents: sizeSchema.default(64),
  mlpRatio: sizeSchema.default(4),
  maxMedia: sizeSchema.optional(),
  maxFrames: sizeSchema.optional(),
});

/** The arguments of OpenFlamingo's class. */
const published = z.object({
  model_type: z.literal('perceiver_resampler').default('perceiver_resampler'),
  depth: layersSchema.default(6),
  heads: sizeSchema.default(8),
  dim_head: sizeSchema.default(64),
  num_latents: sizeSchema.default(64),
  max_num_media: sizeSchema.nullish(),
  max_num_frames: sizeSchema.nullish(),
  ff_mult: sizeSchema.default(4),
});

/** Layers without biases; keys and values lie one below the other. */
function rules(inner: number): ProjectorNameRule[] {
  const weight = (ours: string, theirs: string): ProjectorNameRule => ({
    ours: `layers.{i}.${ours}.weight`,
    theirs: `layers.{i}.${theirs}.weight`,
    layout: 'linear',
  });
  return [
    { ours: 'latents', theirs: 'latents' },
    { ours: 'frameEmbedding', theirs: 'frame_embs' },
    { ours: 'mediaEmbedding', theirs: 'media_time_embs' },
    ...normNames('layers.{i}.mediaNorm', 'layers.{i}.0.norm_media'),
    ...normNames('layers.{i}.latentNorm', 'layers.{i}.0.norm_latents'),
    weight('attention.qProj', '0.to_q'),
    { ...weight('attention.kProj', '0.to_kv'), rows: [0, inner] },
    { ...weight('attention.vProj', '0.to_kv'), rows: [inner, 2 * inner] },
    weight('attention.outProj', '0.to_out'),
    ...normNames('layers.{i}.mlpNorm', 'layers.{i}.1.0'),
    weight('mlp.fc1', '1.1'),
    weight('mlp.fc2', '1.3'),
    ...normNames('norm', 'norm'),
  ];
}

/** As OpenFlamingo writes it. */
const checkpoint: ProjectorCheckpoint<PerceiverResamplerConfig> = {
  config(json) {
    const args = parseHuggingFace('perceiver-resampler', published, json);
    return {
      numLayers: args.depth,
      numHeads: args.heads,
      headSize: args.dim_head,
      numLatents: args.num_latents,
      mlpRatio: args.ff_mult,
      maxMedia: args.max_num_media ?? undefined,
      maxFrames: args.max_num_frames ?? undefined,
    };
  },
  names: ({ numHeads = 8, headSize = 64 }, prefixes = ['perceiver', '']) =>
    below(prefixes, rules(numHeads * headSize)),
};

function build(config: PerceiverResamplerConfig = {}): ProjectorFactory {
  const options = parseConfig('perceiver-resampler', schema, config);
  return {
    specVersion: 'projector/v1',
    name: 'perceiver-resampler',
    build: (sizes) => new PerceiverResampler({ ...options, ...sizes }),
  };
}

/**
 * The perceiver resampler of Flamingo (Alayrac et al. 2022, arXiv:2204.14198), as OpenFlamingo has it: learned latents attend
 * to the tokens of a picture or video and to themselves. Every view becomes `numLatents` tokens without a grid; frames that
 * follow each other, as views or in one grid, become so many together. A linear layer `proj` follows where encoder and
 * decoder differ in width, which Flamingo leaves to its cross-attention.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const perceiverResampler = Object.assign(build, { checkpoint });
