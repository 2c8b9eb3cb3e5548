import { composeMaps, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { ConfigError, normal, parseConfig } from '@mmllm/core';
import { Attention, LayerNorm, Mlp, ropeFrequencies, TransformerBlock } from '@mmllm/nn';
import { z } from 'zod';
import {
  axialTheta,
  hiddenAct,
  huggingFaceAxialRope,
  parseHuggingFace,
  type TowerCheckpoint,
} from '../shared/checkpoint';
import { layersFrom, positiveInteger } from '../shared/config';
import { linearNames, normNames, patchWeightName } from '../shared/names';
import { packedProjectionNames } from '../shared/packed-attention-names';
import { type PackedConfig, packedKeys, packedPreprocessing } from '../shared/packed-config';
import { PackedTransformer } from '../shared/packed-transformer';

export interface Qwen2VlConfig extends PackedConfig {
  /** Heads have a multiple of four channels. */
  numHeads: number;
  /** Default `quick_gelu`. */
  activation?: PackedConfig['activation'];
  /** Side of a patch in pixels. Default 14. */
  patchSize?: number;
  /** Frames that a patch spans; a still picture is repeated so often. Default 2. */
  framesPerPatch?: number;
  /** Side, in patches, of the blocks that the projector merges: grids are multiples of it. Default 2. */
  mergeSize?: number;
  /** Least area of a prepared picture in pixels. Default 56². */
  minPixels?: number;
  /** Largest area of a prepared picture in pixels. Default 28² · 1280. */
  maxPixels?: number;
}

const schema = z.strictObject({
  ...packedKeys({ activation: 'quick_gelu', patchSize: 14, mergeSize: 2 }),
  framesPerPatch: positiveInteger.default(2),
  minPixels: positiveInteger.default(56 * 56),
  maxPixels: positiveInteger.default(28 * 28 * 1280),
});

/** Fixed in the published code. */
const NORM_EPS = 1e-6;

const huggingFace = z.object({
  embed_dim: z.int().default(1280),
  depth: z.int().default(32),
  num_heads: z.int().default(16),
  mlp_ratio: z.number().default(4),
  hidden_act: hiddenAct('quick_gelu'),
  patch_size: z.int().default(14),
  temporal_patch_size: z.int().default(2),
  spatial_merge_size: z.int().default(2),
  in_channels: z.literal(3).default(3),
  ...huggingFaceAxialRope,
});

/** The tower without prefix: query, key and value are one projection, patches a convolution over time and space. */
function towerNames({ hiddenSize, patchSize = 14, framesPerPatch = 2 }: Qwen2VlConfig): NameMap {
  return {
    rules: [
      patchWeightName('patch_embed.proj.weight', [framesPerPatch, patchSize, patchSize]),
      ...normNames('layers.{i}.attentionNorm', 'blocks.{i}.norm1'),
      ...packedProjectionNames('layers.{i}.selfAttention', 'blocks.{i}.attn.qkv.', hiddenSize),
      ...linearNames('layers.{i}.selfAttention.outProj', 'blocks.{i}.attn.proj'),
      ...normNames('layers.{i}.mlpNorm', 'blocks.{i}.norm2'),
      ...linearNames('layers.{i}.mlp.fc1', 'blocks.{i}.mlp.fc1'),
      ...linearNames('layers.{i}.mlp.fc2', 'blocks.{i}.mlp.fc2'),
    ],
    // The projector.
    ignore: ['merger.**'],
  };
}

/** The language model. */
const besides: NameMap = { rules: [], ignore: ['model.**', 'language_model.**', 'lm_head.weight'] };

const checkpoint: TowerCheckpoint<Qwen2VlConfig> = {
  config(json) {
    const hf = parseHuggingFace('qwen2-vl', huggingFace, json, 'vision_config');
    return {
      hiddenSize: hf.embed_dim,
      numLayers: hf.depth,
      numHeads: hf.num_heads,
      intermediateSize: Math.floor(hf.embed_dim * hf.mlp_ratio),
      activation: hf.hidden_act,
      patchSize: hf.patch_size,
      framesPerPatch: hf.temporal_patch_size,
      mergeSize: hf.spatial_merge_size,
      ropeTheta: axialTheta(hf),
    };
  },
  names: (config, prefixes = ['visual', '', 'model.visual']): NameMap =>
    composeMaps(prefixMap(towerNames(config), { theirs: prefixes }), besides),
};

function build(config: Qwen2VlConfig): PackedTransformer {
  const parsed = parseConfig('qwen2-vl', schema, config);
  const { hiddenSize, numHeads, numLayers, intermediateSize = 4 * hiddenSize } = parsed;
  const headSize = hiddenSize / numHeads;
  if (headSize % 4 !== 0) {
    throw new ConfigError({
      component: 'qwen2-vl.numHeads',
      expected: 'heads of a multiple of four channels',
      actual: `${headSize} channels`,
    });
  }
  const initializer = normal(parsed.initializerRange);
  const frequencies = ropeFrequencies({ dim: headSize / 2, theta: parsed.ropeTheta });
  return new PackedTransformer({
    name: 'qwen2-vl',
    hiddenSize,
    preprocessing: {
      ...packedPreprocessing(parsed, { rule: 'pixels', min: parsed.minPixels, max: parsed.maxPixels }),
      framesPerPatch: parsed.framesPerPatch,
    },
    layers: layersFrom('qwen2-vl', parsed.features.layers, numLayers),
    // Rows and columns turn by the same frequencies.
    frequencies: { rows: frequencies, columns: frequencies },
    initializer,
    blocks: Array.from(
      { length: numLayers },
      () =>
        new TransformerBlock({
          attentionNorm: new LayerNorm(hiddenSize, NORM_EPS),
          selfAttention: new Attention({ hiddenSize, numHeads, initializer }),
          mlpNorm: new LayerNorm(hiddenSize, NORM_EPS),
          mlp: new Mlp({ hiddenSize, intermediateSize, activation: parsed.activation, initializer }),
        }),
    ),
  });
}

/**
 * The tower of Qwen2-VL (Wang et al. 2024, arXiv:2409.12191), without the merger, which is a projector: pictures of any size
 * and video frames packed one after the other, rotary positions of two axes, no class token, no norm at the end. A view is
 * one frame in time: of a video, `framesPerPatch` frames.
 *
 * Tokens come row by row, where the published code has the blocks that it merges one after the other: see `blockOrder`.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const qwen2Vl = Object.assign(build, { checkpoint });
