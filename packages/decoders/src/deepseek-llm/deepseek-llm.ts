import type { Decoder } from '@mmllm/core';
import { type LlamaConfig, llama } from '../llama';
import { buildLlama } from '../llama/build';
import type { DecoderCheckpoint } from '../shared/config';

/** What `llama` takes. */
export type DeepseekLlmConfig = LlamaConfig;

/**
 * DeepSeek LLM (Bi et al. 2024, arXiv:2401.02954), the decoder of Janus: the LLaMA layout as it is. Born shape-only.
 * @throws ConfigError for values outside their range, or heads that do not divide.
 */
const build = (config: DeepseekLlmConfig): Decoder => buildLlama('deepseek-llm', config);

/** As `LlamaForCausalLM`. */
const checkpoint = llama.checkpoint satisfies DecoderCheckpoint<DeepseekLlmConfig>;

export const deepseekLlm = Object.assign(build, { checkpoint });
