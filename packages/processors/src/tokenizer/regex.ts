import { Tokenizer as Library } from '@huggingface/tokenizers';
import { TokenizerError } from '@mmllm/core';
import { endlessRepetition } from './repetition';

/** No published one comes near. */
const longest = 20_000;

/**
 * Compiles a regular expression that was written for Oniguruma, which `@huggingface/tokenizers` translates.
 * @throws TokenizerError for one that it cannot translate, or that may take endlessly long.
 */
export function compileRegex(source: string, component: string): RegExp {
  const refuse = (actual: string, cause?: unknown): never => {
    throw new TokenizerError({ component, expected: 'a regular expression', actual, cause });
  };
  if (source.length > longest) return refuse(`${source.length} characters`);
  const endless = endlessRepetition(source);
  if (endless) return refuse(`'${source.slice(0, 80)}', ${endless}`);
  try {
    const split = { type: 'Split', pattern: { Regex: source }, behavior: 'Isolated', invert: false };
    const library = new Library({ ...empty, pre_tokenizer: split }, {});
    const { pattern } = library.pre_tokenizer as unknown as { pattern: RegExp };
    // What the engine cannot run it refuses here, and not at the first text.
    pattern.test('');
    pattern.lastIndex = 0;
    return pattern;
  } catch (cause) {
    return refuse((cause instanceof Error ? cause.message : String(cause)).slice(0, 200), cause);
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
