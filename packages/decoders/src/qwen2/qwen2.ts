import type { Decoder } from '@mmllm/core';
import { buildDecoder } from '../shared/build';
import type { DecoderCheckpoint } from '../shared/config';
import { gatedLayers } from '../shared/gated';
import { llamaNames } from '../shared/names';
import { parseQwen2, type Qwen2Config, qwen2ConfigFromHuggingFace } from './config';

/**
 * Qwen2 (Yang et al. 2024, arXiv:2407.10671): the LLaMA layout with biases of queries, keys and values, and on request
 * a sliding window in some layers; of Qwen2-VL with positions of three axes. Born shape-only.
 * @throws ConfigError for values outside their range, or heads that do not divide.
 */
function build(config: Qwen2Config): Decoder {
  const parsed = parseQwen2(config);
  const { slidingWindow, windowedLayers, ropeSections, numLayers } = parsed;
  const windows = Array.from({ length: numLayers }, (_, layer) =>
    windowedLayers && !windowedLayers.includes(layer) ? undefined : slidingWindow,
  );
  return buildDecoder(parsed, {
    name: 'qwen2',
    ...gatedLayers(parsed),
    attention: { qkvBias: true },
    windows: slidingWindow ? windows : undefined,
    ropeSections,
  });
}

/** As `Qwen2ForCausalLM`; the text part of `Qwen2VLForConditionalGeneration` has the same names below its own prefix. */
const checkpoint = {
  config: qwen2ConfigFromHuggingFace,
  names: () => llamaNames,
} satisfies DecoderCheckpoint<Qwen2Config>;

export const qwen2 = Object.assign(build, { checkpoint });
