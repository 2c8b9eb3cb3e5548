import type { JsonObject, NameMap } from '@mmllm/checkpoints';
import type { Decoder } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';

/** A decoder as a `config.json` describes it, shape-only, and its names in a file. */
export interface DecoderReader {
  build(json: JsonObject): Decoder;
  names(): NameMap;
}

/** Decoders by the `model_type` of their configuration. */
export const decoders: Readonly<Record<string, DecoderReader>> = {
  llama: { build: (json) => llama(llama.checkpoint.config(json)), names: llama.checkpoint.names },
};
