import { Tokenizer as Library } from '@huggingface/tokenizers';
import { TokenizerError } from '@mmllm/core';

/** A quantified group that holds an unbounded quantifier: matching may take longer than the world will last. */
const nested = /\((?:[^()\\]|\\.)*[+*](?:[^()\\]|\\.)*\)(?:[+*]|\{\d*,\})/;

/**
 * Compiles a regular expression that was written for Oniguruma, which `@huggingface/tokenizers` translates.
 * @throws TokenizerError for one that it cannot translate, or that nests unbounded repetitions.
 */
export function compileRegex(source: string, component: string): RegExp {
  const refuse = (actual: string, cause?: unknown): never => {
    throw new TokenizerError({ component, expected: 'a regular expression', actual, cause });
  };
  if (nested.test(source)) return refuse(`'${source.slice(0, 80)}', which nests unbounded repetitions`);
  try {
    const split = { type: 'Split', pattern: { Regex: source }, behavior: 'Isolated', invert: false };
    const library = new Library({ ...empty, pre_tokenizer: split }, {});
    const { pattern } = library.pre_tokenizer as unknown as { pattern: RegExp };
    return pattern;
  } catch (cause) {
    return refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** A tokenizer of the library that can do nothing. */
const empty = {
  model: { type: 'BPE', vocab: {}, merges: [] },
  normalizer: null,
  post_processor: null,
  decoder: null,
  added_tokens: [],
};
