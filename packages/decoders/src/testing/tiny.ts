import type { Decoder } from '@mmllm/core';
import { type LlamaConfig, llama } from '../llama';

/** A decoder that runs in milliseconds, with weights large enough to tell its tokens apart. */
export function tinyLlama(config: Partial<LlamaConfig> = {}, seed = 2): Decoder {
  const decoder = llama({
    vocabSize: 40,
    hiddenSize: 16,
    numLayers: 2,
    numHeads: 4,
    numKeyValueHeads: 2,
    intermediateSize: 24,
    maxLength: 32,
    initializerRange: 0.5,
    ...config,
  });
  decoder.initialize({ seed });
  return decoder;
}
