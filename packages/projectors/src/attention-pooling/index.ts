import { type ProjectorFactory, parseConfig, sizeSchema } from '@mmllm/core';
import { ACTIVATIONS, type Activation } from '@mmllm/nn';
import { z } from 'zod';
import { parseHuggingFace } from '../shared/hugging-face';
import { below, linearNames, type ProjectorCheckpoint } from '../shared/names';
import { AttentionPooling } from './projector';

export interface AttentionPoolingConfig {
  numHeads: number;
  /** Fewer heads for keys and values. Default numHeads. */
  numKeyValueHeads?: number;
  /** Default poolingSize / numHeads. */
  headSize?: number;
  /** Width of the pooled tokens. Default: the encoder's. */
  poolingSize?: number;
  /** Width inside the gated MLP. Default: 8/3 of the decoder's, rounded up to a multiple of 256. */
  hiddenSize?: number;
  /** Of the gate. Default `silu`. */
  activation?: Activation;
  /** Tokens of a window, from above to below and from left to right. Default 2 each. */
  windowRows?: number;
  windowColumns?: number;
}

const schema = z.strictObject({
  numHeads: sizeSchema,
  numKeyValueHeads: sizeSchema.optional(),
  headSize: sizeSchema.optional(),
  poolingSize: sizeSchema.optional(),
  hiddenSize: sizeSchema.optional(),
  activation: z.enum(ACTIVATIONS).default('silu'),
  windowRows: sizeSchema.default(2),
  windowColumns: sizeSchema.default(2),
});

/** The published `config.json`; what it has no word on are the constants of the published code. */
const published = z.object({
  model_type: z.literal('molmo').default('molmo'),
  intermediate_size: sizeSchema.refine((size) => size % 2 === 0, 'expected an even size'),
  activation_type: z.literal('swiglu').default('swiglu'),
  image_pooling_2d: z.literal('attention-meanq').default('attention-meanq'),
  image_pooling_h: sizeSchema.default(2),
  image_pooling_w: sizeSchema.default(2),
  image_projector: z.literal('mlp').default('mlp'),
  vision_backbone: z
    .object({
      image_emb_dim: sizeSchema.default(1024),
      image_num_heads: sizeSchema.default(16),
      image_num_key_value_heads: sizeSchema.default(16),
      image_head_dim: sizeSchema.default(64),
    })
    .prefault({}),
});

const checkpoint: ProjectorCheckpoint<AttentionPoolingConfig> = {
  config(json) {
    const molmo = parseHuggingFace('attention-pooling', published, json);
    const backbone = molmo.vision_backbone;
    return {
      numHeads: backbone.image_num_heads,
      numKeyValueHeads: backbone.image_num_key_value_heads,
      headSize: backbone.image_head_dim,
      poolingSize: backbone.image_emb_dim,
      // The file counts gate and value together.
      hiddenSize: molmo.intermediate_size / 2,
      windowRows: molmo.image_pooling_h,
      windowColumns: molmo.image_pooling_w,
    };
  },
  names: (_, prefixes = ['model.vision_backbone', 'vision_backbone', '']) =>
    below(prefixes, [
      ...linearNames('pooling.qProj', 'image_pooling_2d.wq'),
      ...linearNames('pooling.kProj', 'image_pooling_2d.wk'),
      ...linearNames('pooling.vProj', 'image_pooling_2d.wv'),
      ...linearNames('pooling.outProj', 'image_pooling_2d.wo'),
      ...linearNames('mlp.gateProj', 'image_projector.w1'),
      ...linearNames('mlp.downProj', 'image_projector.w2'),
      ...linearNames('mlp.upProj', 'image_projector.w3'),
    ]),
};

function build(config: AttentionPoolingConfig): ProjectorFactory {
  const options = parseConfig('attention-pooling', schema, config);
  return {
    specVersion: 'projector/v1',
    name: 'attention-pooling',
    build: (sizes) => new AttentionPooling({ ...options, ...sizes }),
  };
}

/**
 * Attention pooling and a gated MLP, as in Molmo (Deitke et al. 2024, arXiv:2409.17146): the mean of each window of
 * tokens asks the window, and what it gets goes through SwiGLU without biases. A grid that the windows do not divide is
 * filled up with zeros at the bottom and at the right, which count as tokens, as in the published code; tokens in front of
 * the grid are left out.
 *
 * @throws ConfigError for an unknown key or value; its `build`, if the heads do not divide.
 */
export const attentionPooling = Object.assign(build, { checkpoint });
