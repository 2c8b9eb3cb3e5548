import type { JsonObject, NameMap } from '@mmllm/checkpoints';
import type { Decoder } from '@mmllm/core';
import { ariaMoe } from '@mmllm/decoders/aria-moe';
import { emu3 } from '@mmllm/decoders/emu3';
import { gemma } from '@mmllm/decoders/gemma';
import { llama } from '@mmllm/decoders/llama';
import { mistral } from '@mmllm/decoders/mistral';
import { persimmon } from '@mmllm/decoders/persimmon';
import { qwen2 } from '@mmllm/decoders/qwen2';

/** A decoder as a `config.json` describes it, shape-only, and its names in a file. */
export interface DecoderReader {
  build(json: JsonObject): Decoder;
  names(json: JsonObject): NameMap;
}

function reader<C>(
  family: ((config: C) => Decoder) & {
    readonly checkpoint: { config(json: JsonObject): C; names(config: C): NameMap };
  },
): DecoderReader {
  const { checkpoint } = family;
  return {
    build: (json) => family(checkpoint.config(json)),
    names: (json) => checkpoint.names(checkpoint.config(json)),
  };
}

/** Decoders by the `model_type` of their configuration. */
export const decoders: Readonly<Record<string, DecoderReader>> = {
  aria_text: reader(ariaMoe),
  emu3_text_model: reader(emu3),
  gemma: reader(gemma),
  llama: reader(llama),
  mistral: reader(mistral),
  persimmon: reader(persimmon),
  qwen2: reader(qwen2),
  qwen2_vl_text: reader(qwen2),
};
