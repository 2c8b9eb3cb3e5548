import { composeMaps, type NameMap, type NameRule, prefixMap } from '@mmllm/checkpoints';
import { normal, parseConfig } from '@mmllm/core';
import { z } from 'zod';
import {
  huggingFaceVision,
  parseHuggingFace,
  type TowerCheckpoint,
  visionFromHuggingFace,
} from '../shared/checkpoint';
import { resolveVision, type VisionConfig, visionKeys } from '../shared/config';
import { lecunNormal, xavierUniform } from '../shared/initializers';
import { besidesVision, linearNames, normNames, visionPrefixes, visionTowerNames } from '../shared/names';
import { packedAttentionNames } from '../shared/packed-attention-names';
import { preprocessingFor, unitRange } from '../shared/preprocessing';
import { VisionTransformer } from '../shared/vision-transformer';
import { AttentionPoolingHead } from './pooling-head';

export interface SiglipConfig extends VisionConfig {
  /** Default `gelu_tanh`. */
  activation?: VisionConfig['activation'];
  /** Default 1e-6. */
  layerNormEps?: number;
  /** Default as PaliGemma takes them: the output of the last block after the last norm. There is no class token. */
  features?: VisionConfig['features'];
  /**
   * Whether it has the attention-pooling head that `pooled` goes through; features never do, so models such as
   * PaliGemma leave it out. Without it `pooled` is the mean of the tokens. Default true.
   */
  poolingHead?: boolean;
}

const schema = z.strictObject({
  ...visionKeys({
    activation: 'gelu_tanh',
    layerNormEps: 1e-6,
    features: { layers: [-1], norm: true },
  }),
  poolingHead: z.boolean().default(true),
});

const huggingFace = huggingFaceVision({
  patchSize: 16,
  activation: 'gelu_pytorch_tanh',
  layerNormEps: 1e-6,
}).extend({ vision_use_head: z.boolean().default(true) });

/** The head packs query, key and value into one projection, as `torch.nn.MultiheadAttention` does. */
function headNames(hiddenSize: number): NameRule[] {
  return [
    { ours: 'head.probe', theirs: 'head.probe', layout: 'leading-ones', count: 2 },
    ...packedAttentionNames('head.attention', 'head.attention', hiddenSize),
    ...normNames('head.norm', 'head.layernorm'),
    ...linearNames('head.mlp.fc1', 'head.mlp.fc1'),
    ...linearNames('head.mlp.fc2', 'head.mlp.fc2'),
  ];
}

/** The image tower's names without prefix. */
export function siglipVisionNames({ patchSize, hiddenSize }: SiglipConfig): NameMap {
  const tower = visionTowerNames(patchSize);
  // A tower without head is loaded from a file with one.
  return { rules: [...tower.rules, ...headNames(hiddenSize)], ignore: [...(tower.ignore ?? []), 'head.**'] };
}

const checkpoint: TowerCheckpoint<SiglipConfig> = {
  config(json) {
    const hf = parseHuggingFace('siglip', huggingFace, json, 'vision_config');
    return { ...visionFromHuggingFace(hf), poolingHead: hf.vision_use_head };
  },
  names: (config, prefixes = visionPrefixes): NameMap =>
    composeMaps(prefixMap(siglipVisionNames(config), { theirs: prefixes }), besidesVision),
};

function build(config: SiglipConfig): VisionTransformer {
  const { poolingHead, ...parsed } = parseConfig('siglip', schema, config);
  const resolved = resolveVision('siglip', parsed);
  const { hiddenSize, intermediateSize, patchSize } = resolved;
  return new VisionTransformer(resolved, {
    name: 'siglip',
    preprocessing: preprocessingFor(resolved, { ...unitRange, fit: 'stretch', resample: 'bicubic' }),
    initializers: {
      patchEmbedding: lecunNormal(patchSize * patchSize * 3),
      positionEmbedding: normal(hiddenSize ** -0.5),
      attention: xavierUniform(hiddenSize, hiddenSize),
      mlp: xavierUniform(hiddenSize, intermediateSize),
    },
    patchBias: true,
    preNorm: false,
    head: poolingHead ? new AttentionPoolingHead(resolved) : undefined,
  });
}

/**
 * The image tower of SigLIP (Zhai et al. 2023, arXiv:2303.15343): no class token, patches with bias; `pooled` is the
 * attention-pooling head over all tokens after the last norm.
 *
 * First values as in big_vision: LeCun normal for the patches, hiddenSize^−½ for the positions, Glorot uniform for
 * the blocks.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const siglip = Object.assign(build, { checkpoint });
