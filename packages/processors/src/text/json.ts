import { Tokenizer as Library } from '@huggingface/tokenizers';
import { type TextTokenizer, TokenizerError } from '@mmllm/core';

/** The content of a JSON file: `tokenizer.json` or `tokenizer_config.json`. */
export type JsonObject = { readonly [key: string]: unknown };

/** A tokenizer that can be saved. */
export interface JsonTokenizer extends TextTokenizer {
  /** The content of its `tokenizer.json`, which Hugging Face's libraries read too. */
  toJson(): JsonObject;
}

/**
 * A tokenizer from a Hugging Face `tokenizer.json`, through `@huggingface/tokenizers`. Tokens that its post-processor
 * would put around a text (`<s>`) are not added: the processor does that.
 *
 * @param json the file, parsed or as text.
 * @param config the `tokenizer_config.json` beside it, parsed or as text.
 * @throws TokenizerError for a file that is malformed, or holds a part that the library does not know.
 */
export function tokenizerFromJson(
  json: JsonObject | string,
  config: JsonObject | string = {},
): JsonTokenizer {
  const file = parse('tokenizer.json', json);
  const library = openLibrary(file, parse('tokenizer_config.json', config));
  const vocabSize = 1 + Math.max(-1, ...library.get_vocab().values());
  const known = (id: number) => library.id_to_token(id) !== undefined;
  return {
    vocabSize,
    encode: (text) => encode(library, text),
    decode(ids, { skipSpecialTokens = false } = {}) {
      // Ids beyond the vocabulary stand for nothing: the embeddings of released models often have spare rows.
      const list = Array.from(ids).filter(known);
      return list.length === 0 ? '' : library.decode(list, { skip_special_tokens: skipSpecialTokens });
    },
    tokenId: (token) => library.token_to_id(token),
    toJson: () => file,
  };
}

/** Opens parsed files in the library. @throws TokenizerError if it refuses them. */
export function openLibrary(file: JsonObject, config: JsonObject = {}): Library {
  // The library wants every part to be named; a file may leave out what it does not use.
  const absent = {
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
  };
  const { unk_token } = parse('tokenizer.json model', file.model);
  // Of a word-level model it reads the unknown token from the configuration only.
  const unknown = unk_token === undefined ? {} : { unk_token };
  try {
    return new Library(
      { ...absent, ...file },
      { clean_up_tokenization_spaces: false, ...config, ...unknown },
    );
  } catch (cause) {
    const actual = cause instanceof Error ? cause.message : String(cause);
    throw new TokenizerError({
      component: 'tokenizer.json',
      expected: 'a tokenizer of a known kind',
      actual,
      cause,
    });
  }
}

function encode(library: Library, text: string): Int32Array {
  const { ids, tokens } = library.encode(text, { add_special_tokens: false });
  const unknown = ids.findIndex((id) => !Number.isInteger(id));
  if (unknown < 0) return Int32Array.from(ids);
  throw new TokenizerError({
    component: 'tokenizer',
    expected: 'text of its vocabulary, since it has no token for unknown text',
    actual: JSON.stringify(tokens[unknown]),
  });
}

function parse(component: string, value: unknown): JsonObject {
  let parsed = value;
  if (typeof value === 'string') {
    try {
      parsed = JSON.parse(value);
    } catch (cause) {
      throw new TokenizerError({
        component,
        expected: 'JSON',
        actual: (cause as SyntaxError).message,
        cause,
      });
    }
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as JsonObject;
  const actual = JSON.stringify(parsed)?.slice(0, 80) ?? 'nothing';
  throw new TokenizerError({ component, expected: 'a JSON object', actual });
}
