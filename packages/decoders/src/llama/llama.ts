import type { Decoder } from '@mmllm/core';
import type { DecoderCheckpoint } from '../shared/config';
import { llamaNames } from '../shared/names';
import { buildLlama } from './build';
import { type LlamaConfig, llamaConfigFromHuggingFace } from './config';
import { llamaConfigFromGguf, llamaGgufNames } from './gguf';

/**
 * A decoder in the LLaMA layout (Touvron et al. 2023, arXiv:2302.13971): pre-norm blocks with RMSNorm, rotary
 * positions, SwiGLU, and grouped-query attention where asked for. Born shape-only.
 * @throws ConfigError for values outside their range, or heads that do not divide.
 */
const build = (config: LlamaConfig): Decoder => buildLlama('llama', config);

/** As `LlamaForCausalLM`. */
const checkpoint = {
  config: llamaConfigFromHuggingFace,
  names: () => llamaNames,
} satisfies DecoderCheckpoint<LlamaConfig>;

/** How the decoder is written in GGUF, under the architecture `llama`. */
const gguf = {
  /**
   * Our configuration from a file's metadata and from which tensors it has.
   * @throws ConfigError for another architecture, or a value outside the known set.
   */
  config: llamaConfigFromGguf,
  /** The names of the parameters in a file, for `loadWeights`. The rows of queries and keys change places. */
  names: llamaGgufNames,
};

export const llama = Object.assign(build, { checkpoint, gguf });
