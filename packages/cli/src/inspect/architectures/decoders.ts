import type { Decoder } from '@mmllm/core';
import { llama } from '@mmllm/decoders/llama';
import type { Json } from './architecture';

/** Decoders by the `model_type` of their configuration. */
export const decoders: Readonly<Record<string, (json: Json) => Decoder>> = {
  llama: (json) => llama(llama.checkpoint.config(json)),
};

/** A decoder's components below `prefix`. */
export const decoderComponents = (prefix: string) =>
  [
    ['lm_head', `${prefix}head.`],
    ['decoder', prefix],
  ] as const;
