import { ConfigError, type ProjectorFactory, parseConfig, ShapeError, sizeSchema } from '@mmllm/core';
import { ACTIVATIONS, type Activation } from '@mmllm/nn';
import { z } from 'zod';
import { called } from '../shared/features';
import { parseHuggingFace } from '../shared/hugging-face';
import {
  below,
  linearNames,
  normNames,
  type ProjectorCheckpoint,
  type ProjectorNameRule,
  usualPrefixes,
} from '../shared/names';
import { Resampler } from './projector';

export interface ResamplerConfig {
  /** Heads of the attention; they divide the encoder's width. */
  numHeads: number;
  /** The encoder's width: known at composition, and checked there if given. `checkpoint.names` needs it. */
  inputSize?: number;
  /** How many queries a view gets, by its number of tokens. Default 128 for 1225 and 256 for 4900. */
  queries?: Readonly<Record<number, number>>;
  /** Width between the last two layers. Default: the decoder's. */
  hiddenSize?: number;
  /** Between the last two layers. Default `gelu_tanh`. */
  activation?: Activation;
  /** Default 1e-5. */
  layerNormEps?: number;
}

/** Queries by tokens: keys of JSON are texts. */
const queries = z
  .record(z.string().regex(/^[1-9]\d*$/, 'expected a number of tokens'), sizeSchema)
  .refine((entries) => Object.keys(entries).length > 0, 'expected at least one number of tokens');

const published = { 1225: 128, 4900: 256 };

const schema = z.strictObject({
  numHeads: sizeSchema,
  inputSize: sizeSchema.optional(),
  queries: queries.default(published),
  hiddenSize: sizeSchema.optional(),
  activation: z.enum(ACTIVATIONS).default('gelu_tanh'),
  layerNormEps: z.number().positive().default(1e-5),
});

const huggingFace = z.object({
  model_type: z.literal('aria').default('aria'),
  projector_patch_to_query_dict: queries.nullish(),
  vision_config: z
    .object({ hidden_size: sizeSchema.default(1152), num_attention_heads: sizeSchema.default(16) })
    .prefault({}),
});

/** Queries, keys and values of `torch.nn.MultiheadAttention` lie one below the other. */
const packed = (part: number, ours: string, width: number): ProjectorNameRule[] => {
  const rows = [part * width, (part + 1) * width] as const;
  const theirs = 'cross_attn.multihead_attn.in_proj_';
  return [
    { ours: `crossAttention.attention.${ours}.weight`, theirs: `${theirs}weight`, layout: 'linear', rows },
    { ours: `crossAttention.attention.${ours}.bias`, theirs: `${theirs}bias`, rows },
  ];
};

const rules = (width: number): ProjectorNameRule[] => [
  { ours: 'query', theirs: 'query' },
  ...normNames('crossAttention.queryNorm', 'cross_attn.layer_norm'),
  ...normNames('crossAttention.tokenNorm', 'cross_attn.layer_norm_kv'),
  ...['qProj', 'kProj', 'vProj'].flatMap((ours, part) => packed(part, ours, width)),
  ...linearNames('crossAttention.attention.outProj', 'cross_attn.multihead_attn.out_proj'),
  ...linearNames('crossAttention.qProj', 'cross_attn.q_proj'),
  ...linearNames('crossAttention.kProj', 'cross_attn.k_proj'),
  ...linearNames('crossAttention.vProj', 'cross_attn.v_proj'),
  ...linearNames('crossAttention.outProj', 'cross_attn.linear'),
  ...normNames('norm', 'layer_norm'),
  ...linearNames('layers.0', 'feed_forward.linear_in'),
  ...linearNames('layers.1', 'feed_forward.linear_out'),
];

/** As transformers writes Aria. */
const checkpoint: ProjectorCheckpoint<ResamplerConfig> = {
  config(json) {
    const hf = parseHuggingFace('resampler', huggingFace, json);
    return {
      numHeads: hf.vision_config.num_attention_heads,
      inputSize: hf.vision_config.hidden_size,
      queries: hf.projector_patch_to_query_dict ?? published,
    };
  },
  /** @throws ConfigError without `inputSize`: a file has three layers in one tensor. */
  names({ inputSize }, prefixes = usualPrefixes) {
    if (inputSize !== undefined) return below(prefixes, rules(inputSize));
    throw new ConfigError({ component: 'resampler.inputSize', expected: 'a width', actual: 'nothing' });
  },
};

function build(config: ResamplerConfig): ProjectorFactory {
  const { inputSize, ...options } = parseConfig('resampler', schema, config);
  return {
    specVersion: 'projector/v1',
    name: 'resampler',
    build(sizes) {
      if (inputSize === undefined || inputSize === sizes.inputSize)
        return new Resampler({ ...options, ...sizes });
      throw new ShapeError({
        component: called('resampler'),
        expected: `an encoder of width ${inputSize}`,
        actual: `${sizes.inputSize}`,
      });
    },
  };
}

/**
 * The projector of Aria (Li et al. 2024, arXiv:2410.05993): learned queries attend to the tokens of a view, padding left
 * out, and go through a norm and two layers without biases. Their number depends on the number of tokens. They form no grid.
 *
 * @throws ConfigError for an unknown key or value; its `build`, if the heads do not divide the encoder's width.
 */
export const resampler = Object.assign(build, { checkpoint });
