import { type Decoder, normal } from '@mmllm/core';
import { LayerNorm, Mlp } from '@mmllm/nn';
import { buildDecoder } from '../shared/build';
import type { DecoderCheckpoint } from '../shared/config';
import { type PersimmonConfig, parsePersimmon, persimmonConfigFromHuggingFace } from './config';
import { persimmonNames } from './names';

/**
 * Persimmon (Elsen et al. 2023), the decoder of Fuyu: LayerNorm and biases everywhere, a plain MLP with squared ReLU, a
 * norm over each head of queries and keys, of which a part turns. Source: transformers' `modeling_persimmon.py`. Born
 * shape-only.
 * @throws ConfigError for values outside their range, or heads that do not divide.
 */
function build(config: PersimmonConfig): Decoder {
  const parsed = parsePersimmon(config);
  const { hiddenSize, intermediateSize = 4 * hiddenSize, layerNormEps, activation, rotaryShare } = parsed;
  const norm = (size: number) => new LayerNorm(size, layerNormEps);
  const initializer = normal(parsed.initializerRange);
  return buildDecoder(parsed, {
    name: 'persimmon',
    norm: () => norm(hiddenSize),
    mlp: () => new Mlp({ hiddenSize, intermediateSize, activation, initializer }),
    attention: { qkvBias: true, outBias: true, headNorm: parsed.headNorms ? norm : undefined },
    rotaryShare,
  });
}

/** As `PersimmonForCausalLM`. */
const checkpoint = {
  config: persimmonConfigFromHuggingFace,
  names: persimmonNames,
} satisfies DecoderCheckpoint<PersimmonConfig>;

export const persimmon = Object.assign(build, { checkpoint });
