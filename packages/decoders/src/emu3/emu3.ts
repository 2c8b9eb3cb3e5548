import type { Decoder } from '@mmllm/core';
import { z } from 'zod';
import { type LlamaConfig, llama } from '../llama';
import { buildLlama } from '../llama/build';
import {
  biasesFromHuggingFace,
  configFromHuggingFace,
  type DecoderCheckpoint,
  huggingFaceBiases,
  huggingFaceKeys,
  parseHuggingFace,
} from '../shared/config';
import { gatedFromHuggingFace, huggingFaceGated } from '../shared/gated';

/** What `llama` takes. */
export type Emu3Config = LlamaConfig;

/**
 * The decoder of Emu3 (Wang et al. 2024, arXiv:2409.18869), which predicts text and codes of pictures alike: the LLaMA
 * layout. Born shape-only.
 * @throws ConfigError for values outside their range, or heads that do not divide.
 */
const build = (config: Emu3Config): Decoder => buildLlama('emu3', config);

/** `Emu3TextConfig` of transformers. */
const huggingFaceSchema = z.object({
  ...huggingFaceKeys({
    vocabSize: 184_622,
    hiddenSize: 4096,
    intermediateSize: 14_336,
    numLayers: 32,
    numHeads: 32,
    numKeyValueHeads: 8,
    maxLength: 9216,
  }),
  ...huggingFaceGated({ eps: 1e-5 }),
  ...huggingFaceBiases,
});

function configFromFile(json: Readonly<Record<string, unknown>>): Emu3Config {
  const config = parseHuggingFace('emu3', huggingFaceSchema, json);
  return {
    ...configFromHuggingFace(config, 1_000_000),
    ...gatedFromHuggingFace(config),
    ...biasesFromHuggingFace(config),
  };
}

/** As `Emu3ForCausalLM`. */
const checkpoint = {
  config: configFromFile,
  names: llama.checkpoint.names,
} satisfies DecoderCheckpoint<Emu3Config>;

export const emu3 = Object.assign(build, { checkpoint });
