import type { JsonObject } from '../tokenizer/file';
import { Pipeline } from '../tokenizer/pipeline';
import { type JsonTokenizer, tokenizerFromJson } from '../tokenizer/tokenizer';

export interface WordTokenizerOptions {
  /**
   * Tokens that a text spells out as a whole, whatever surrounds them. They take the ids from 1 on, in this order.
   * Default: `<pad>`, `<s>`, `</s>`, `<image>`.
   */
  readonly specialTokens?: readonly string[];
}

const unknownToken = '<unk>';

/**
 * A tokenizer whose tokens are words in lower case and single punctuation marks. Any other word becomes `<unk>`,
 * which has id 0. Decoding sets blanks between words, none before a full stop, comma, question or exclamation mark.
 *
 * @param texts where its words come from; equal texts in equal order give equal ids. A list of words does too.
 */
export function wordTokenizer(
  texts: Iterable<string>,
  { specialTokens = ['<pad>', '<s>', '</s>', '<image>'] }: WordTokenizerOptions = {},
): JsonTokenizer {
  const tokens = new Set([unknownToken, ...specialTokens]);
  const numSpecial = tokens.size;
  const splitter = new Pipeline(wordLevel(tokens, numSpecial), []);
  for (const text of new Set(texts)) {
    for (const word of splitter.words(text)) tokens.add(word);
  }
  return tokenizerFromJson(wordLevel(tokens, numSpecial));
}

/** A word-level `tokenizer.json`; the first tokens of the vocabulary are special. */
function wordLevel(tokens: ReadonlySet<string>, numSpecial: number): JsonObject {
  const vocabulary = [...tokens];
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: vocabulary.slice(0, numSpecial).map((content, id) => ({ id, content, ...flags })),
    normalizer: { type: 'Lowercase' },
    // Splits at blanks and around every punctuation mark.
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: null,
    // For its blanks between words; no token of ours starts with the prefix.
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordLevel',
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      unk_token: unknownToken,
    },
  };
}
