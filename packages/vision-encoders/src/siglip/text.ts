import { composeMaps, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { normal, parseConfig } from '@mmllm/core';
import { Linear } from '@mmllm/nn';
import { z } from 'zod';
import {
  huggingFaceText,
  parseHuggingFace,
  type TowerCheckpoint,
  textFromHuggingFace,
} from '../shared/checkpoint';
import { positiveInteger } from '../shared/config';
import { lecunNormal, xavierUniform } from '../shared/initializers';
import { besidesText, textTowerNames } from '../shared/names';
import { type TextConfig, TextTransformer, textKeys } from '../shared/text-transformer';

export interface SiglipTextConfig extends TextConfig {
  /** Default `gelu_tanh`. */
  activation?: TextConfig['activation'];
  /** Default 1e-6. */
  layerNormEps?: number;
  /** Width of the result, which must be that of the image tower. Default hiddenSize. */
  projectionSize?: number;
}

const schema = z.strictObject({
  ...textKeys({ activation: 'gelu_tanh', layerNormEps: 1e-6 }),
  projectionSize: positiveInteger.optional(),
});

const huggingFace = huggingFaceText({
  vocabSize: 32_000,
  maxLength: 64,
  hiddenSize: 768,
  numHeads: 12,
  intermediateSize: 3072,
  activation: 'gelu_pytorch_tanh',
  layerNormEps: 1e-6,
}).extend({ projection_size: z.int().nullish() });

const checkpoint: TowerCheckpoint<SiglipTextConfig> = {
  config(json) {
    const hf = parseHuggingFace('siglip text', huggingFace, json, 'text_config');
    return { ...textFromHuggingFace(hf), projectionSize: hf.projection_size ?? undefined };
  },
  names: (_, prefixes = ['text_model', '']): NameMap =>
    composeMaps(prefixMap(textTowerNames, { theirs: prefixes }), besidesText),
};

function build(config: SiglipTextConfig): TextTransformer {
  const { projectionSize, ...parsed } = parseConfig('siglip text', schema, config);
  const { hiddenSize, intermediateSize = 4 * hiddenSize } = parsed;
  return new TextTransformer(parsed, {
    name: 'siglip',
    causal: false,
    initializers: {
      tokenEmbedding: normal(hiddenSize ** -0.5),
      positionEmbedding: normal(hiddenSize ** -0.5),
      attention: xavierUniform(hiddenSize, hiddenSize),
      mlp: xavierUniform(hiddenSize, intermediateSize),
    },
    pooledAt: ({ shape: [batch, length] }, end) =>
      Array.from({ length: batch }, (_, text) => (end?.[text] ?? length) - 1),
    head: new Linear(hiddenSize, projectionSize ?? hiddenSize, { initializer: lecunNormal(hiddenSize) }),
  });
}

/**
 * The text tower of SigLIP: every token sees every other, and the last one is taken, through a linear head.
 *
 * The published models count padding as text: pad to `maxLength` and call `encode` without `end`. With `end` padding
 * is seen by none and the last real token is taken.
 *
 * First values as in big_vision: hiddenSize^−½ for tokens and positions, Glorot uniform for the blocks.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const siglipText = Object.assign(build, { checkpoint });
