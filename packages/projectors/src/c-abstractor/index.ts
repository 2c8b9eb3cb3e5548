import {
  layersSchema,
  MAX_LAYERS,
  MAX_SIZE,
  type ProjectorFactory,
  parseConfig,
  sizeSchema,
} from '@mmllm/core';
import { z } from 'zod';
import { parseHuggingFace } from '../shared/hugging-face';
import { below, type ProjectorCheckpoint, usualPrefixes } from '../shared/names';
import { cAbstractorRules } from './names';
import { CAbstractor } from './projector';

export interface CAbstractorConfig {
  /** Tokens that come out for each view and frame, a square. Default 144. */
  numQueryTokens?: number;
  /** Width of the convolutions. Default 1024. */
  hiddenSize?: number;
  /** Blocks before the pooling, and as many after it. Without any, pooling and the layers are all. Default 3. */
  depth?: number;
  /** Linear layers at the end. Default 2. */
  mlpDepth?: number;
  /** Learned positions for so many tokens of a view, those in front of its grid among them. Default: none. */
  numInputTokens?: number;
  /** A LayerNorm of the features. Default false. */
  prenorm?: boolean;
  /** Learned tokens behind those of each view. Default 0. */
  numEosTokens?: number;
}

const square = sizeSchema.refine((size) => Number.isInteger(Math.sqrt(size)), 'expected a square number');
const depthSchema = z.int().nonnegative().max(MAX_LAYERS);
const countSchema = z.int().nonnegative().max(MAX_SIZE);

const schema = z.strictObject({
  numQueryTokens: square.default(144),
  hiddenSize: sizeSchema.default(1024),
  depth: depthSchema.default(3),
  mlpDepth: layersSchema.default(2),
  numInputTokens: sizeSchema.optional(),
  prenorm: z.boolean().default(false),
  numEosTokens: countSchema.default(0),
});

/** The configuration of Honeybee's projector. */
const published = z
  .object({
    model_type: z.literal('c_abstractor').default('c_abstractor'),
    hidden_size: sizeSchema,
    num_query_tokens: square,
    num_input_tokens: sizeSchema.nullish(),
    depth: depthSchema,
    mlp_depth: layersSchema,
    pos_emb: z.boolean(),
    prenorm: z.boolean().default(false),
    num_eos_tokens: countSchema.default(0),
  })
  .refine(({ pos_emb, num_input_tokens }) => !pos_emb || num_input_tokens, {
    path: ['num_input_tokens'],
    message: 'expected the number of positions',
  });

const nested = z.looseObject({ projector_config: z.looseObject({}).nullish() });

const checkpoint: ProjectorCheckpoint<CAbstractorConfig> = {
  config(json) {
    const { projector_config } = parseHuggingFace('c-abstractor', nested, json);
    const hf = parseHuggingFace('c-abstractor', published, projector_config ?? json);
    return {
      numQueryTokens: hf.num_query_tokens,
      hiddenSize: hf.hidden_size,
      depth: hf.depth,
      mlpDepth: hf.mlp_depth,
      numInputTokens: hf.pos_emb ? (hf.num_input_tokens ?? undefined) : undefined,
      prenorm: hf.prenorm,
      numEosTokens: hf.num_eos_tokens,
    };
  },
  names: ({ depth = 3, mlpDepth = 2 }, prefixes = [...usualPrefixes, 'abstractor', '']) =>
    below(prefixes, cAbstractorRules(depth, mlpDepth)),
};

function build(config: CAbstractorConfig = {}): ProjectorFactory {
  const { numQueryTokens, ...options } = parseConfig('c-abstractor', schema, config);
  const queriesPerSide = Math.sqrt(numQueryTokens);
  return {
    specVersion: 'projector/v1',
    name: 'c-abstractor',
    build: (sizes) => new CAbstractor({ ...options, queriesPerSide, ...sizes }),
  };
}

/**
 * The C-Abstractor of Honeybee (Cha et al. 2024, arXiv:2312.06742), also in MM1 and MM1.5: RegNet blocks on the grid of
 * tokens, adaptive average pooling to a square one, as many blocks on that, and an MLP. Any grid is taken, also one that
 * the square does not divide; tokens in front of it are left out after the positions were added.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const cAbstractor = Object.assign(build, { checkpoint });
