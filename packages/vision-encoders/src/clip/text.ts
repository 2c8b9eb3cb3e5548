import { composeMaps, type NameMap, prefixMap } from '@mmllm/checkpoints';
import { ConfigError, normal, parseConfig, type TokenIds } from '@mmllm/core';
import { z } from 'zod';
import {
  huggingFaceText,
  parseHuggingFace,
  type TowerCheckpoint,
  textFromHuggingFace,
} from '../shared/checkpoint';
import { positiveNumber } from '../shared/config';
import { besidesText, textTowerNames } from '../shared/names';
import { type TextConfig, TextTransformer, textKeys } from '../shared/text-transformer';

export interface ClipTextConfig extends TextConfig {
  /** Default `quick_gelu`. */
  activation?: TextConfig['activation'];
  /** Default 1e-5. */
  layerNormEps?: number;
  /**
   * The token that stands for a text: the first with this id. `highest` takes the first of the highest id in the
   * text, which is how OpenAI's code finds the end of text in its own vocabulary. Default: the last real token.
   */
  eosTokenId?: number | 'highest';
  /** Standard deviation of the first token and position embeddings. Default 0.02. */
  initializerRange?: number;
}

const schema = z.strictObject({
  ...textKeys({ activation: 'quick_gelu', layerNormEps: 1e-5 }),
  eosTokenId: z.union([z.int().nonnegative(), z.literal('highest')]).optional(),
  initializerRange: positiveNumber.default(0.02),
});

/** In older files `eos_token_id` is 2, which is no end of text: Hugging Face then looks for the highest id. */
const OLD_EOS = 2;

const huggingFace = huggingFaceText({
  vocabSize: 49_408,
  maxLength: 77,
  hiddenSize: 512,
  numHeads: 8,
  intermediateSize: 2048,
  activation: 'quick_gelu',
  layerNormEps: 1e-5,
}).extend({ eos_token_id: z.int().default(49_407) });

const checkpoint: TowerCheckpoint<ClipTextConfig> = {
  config(json) {
    const hf = parseHuggingFace('clip text', huggingFace, json, 'text_config');
    const eosTokenId = hf.eos_token_id === OLD_EOS ? 'highest' : hf.eos_token_id;
    return { ...textFromHuggingFace(hf), eosTokenId };
  },
  names: (_, prefixes = ['text_model', '']): NameMap =>
    composeMaps(prefixMap(textTowerNames, { theirs: prefixes }), besidesText),
};

function build(config: ClipTextConfig): TextTransformer {
  const { eosTokenId, initializerRange, ...parsed } = parseConfig('clip text', schema, config);
  const { hiddenSize } = parsed;
  return new TextTransformer(parsed, {
    name: 'clip',
    causal: true,
    initializers: {
      tokenEmbedding: normal(initializerRange),
      positionEmbedding: normal(initializerRange),
      attention: normal(hiddenSize ** -0.5),
      mlp: normal((2 * hiddenSize) ** -0.5),
    },
    pooledAt: (ids, end) => rows(ids).map((row, text) => pooledAt(row, eosTokenId, end?.[text])),
  });
}

function rows({ data, shape: [batch, length] }: TokenIds): Int32Array[] {
  return Array.from({ length: batch }, (_, b) => data.subarray(b * length, (b + 1) * length));
}

function pooledAt(row: Int32Array, eosTokenId: ClipTextConfig['eosTokenId'], end = row.length): number {
  if (eosTokenId === undefined) return end - 1;
  const wanted = eosTokenId === 'highest' ? row.reduce((a, b) => Math.max(a, b)) : eosTokenId;
  const found = row.indexOf(wanted);
  if (found >= 0) return found;
  throw new ConfigError({
    component: "text tower 'clip'",
    expected: `token ${eosTokenId} (eosTokenId) in every text`,
    actual: `[${row.join(', ')}]`,
  });
}

/**
 * The text tower of CLIP: causal, taken at the end-of-text token.
 * First values as in the image tower.
 *
 * @throws ConfigError for an unknown key or value.
 */
export const clipText = Object.assign(build, { checkpoint });
