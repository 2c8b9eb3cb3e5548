import { CheckpointError } from '@mmllm/core';
import type { GgufFile } from './file';
import { metadataValue, requiredValue } from './metadata';

/** The tokenizer that a file brings along. */
export interface GgufTokenizer {
  /** Kind of vocabulary: `gpt2` (byte-level BPE), `llama` (SentencePiece), … */
  readonly model: string;
  /** How text is split before the merges, such as `smollm`. */
  readonly pre?: string;
  /** By id. */
  readonly tokens: readonly string[];
  /** One for each token. */
  readonly scores?: readonly number[];
  /** One for each token: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. */
  readonly tokenTypes?: readonly number[];
  /** Pairs with a space between, the first one merged first. */
  readonly merges?: readonly string[];
  readonly bosTokenId?: number;
  readonly eosTokenId?: number;
  readonly unknownTokenId?: number;
  readonly paddingTokenId?: number;
  readonly addBosToken?: boolean;
  readonly addEosToken?: boolean;
  readonly addSpacePrefix?: boolean;
  /** In Jinja. */
  readonly chatTemplate?: string;
}

/**
 * The tokenizer of a file; undefined if it has none.
 * @throws CheckpointError for entries of another kind or lists of different lengths.
 */
export function ggufTokenizer(file: GgufFile): GgufTokenizer | undefined {
  if (!file.metadata.has('tokenizer.ggml.model')) return undefined;
  const tokens = requiredValue(file, 'tokenizer.ggml.tokens', 'texts');
  const scores = metadataValue(file, 'tokenizer.ggml.scores', 'numbers');
  const tokenTypes = metadataValue(file, 'tokenizer.ggml.token_type', 'numbers');
  for (const list of [scores, tokenTypes]) {
    if (list === undefined || list.length === tokens.length) continue;
    const expected = `a score and a type for each of ${tokens.length} tokens`;
    throw new CheckpointError({ component: file.name, expected, actual: `${list.length}` });
  }
  return {
    model: requiredValue(file, 'tokenizer.ggml.model', 'text'),
    pre: metadataValue(file, 'tokenizer.ggml.pre', 'text'),
    tokens,
    scores,
    tokenTypes,
    merges: metadataValue(file, 'tokenizer.ggml.merges', 'texts'),
    bosTokenId: metadataValue(file, 'tokenizer.ggml.bos_token_id', 'integer'),
    eosTokenId: metadataValue(file, 'tokenizer.ggml.eos_token_id', 'integer'),
    unknownTokenId: metadataValue(file, 'tokenizer.ggml.unknown_token_id', 'integer'),
    paddingTokenId: metadataValue(file, 'tokenizer.ggml.padding_token_id', 'integer'),
    addBosToken: metadataValue(file, 'tokenizer.ggml.add_bos_token', 'flag'),
    addEosToken: metadataValue(file, 'tokenizer.ggml.add_eos_token', 'flag'),
    addSpacePrefix: metadataValue(file, 'tokenizer.ggml.add_space_prefix', 'flag'),
    chatTemplate: metadataValue(file, 'tokenizer.chat_template', 'text'),
  };
}
