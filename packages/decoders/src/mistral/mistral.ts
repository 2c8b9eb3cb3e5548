import type { Decoder } from '@mmllm/core';
import { buildDecoder } from '../shared/build';
import type { DecoderCheckpoint } from '../shared/config';
import { gatedLayers } from '../shared/gated';
import { llamaNames } from '../shared/names';
import { type MistralConfig, mistralConfigFromHuggingFace, parseMistral } from './config';

/**
 * Mistral (Jiang et al. 2023, arXiv:2310.06825): the LLaMA layout with a sliding window, and heads whose widths need
 * not add up to the hidden size (Mistral NeMo). Born shape-only.
 * @throws ConfigError for values outside their range, or heads that do not divide.
 */
function build(config: MistralConfig): Decoder {
  const parsed = parseMistral(config);
  return buildDecoder(parsed, {
    name: 'mistral',
    ...gatedLayers(parsed),
    windows: parsed.slidingWindow ? new Array(parsed.numLayers).fill(parsed.slidingWindow) : undefined,
  });
}

/** As `MistralForCausalLM`. */
const checkpoint = {
  config: mistralConfigFromHuggingFace,
  names: () => llamaNames,
} satisfies DecoderCheckpoint<MistralConfig>;

export const mistral = Object.assign(build, { checkpoint });
