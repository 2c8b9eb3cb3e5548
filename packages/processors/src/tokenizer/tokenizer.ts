import type { TextTokenizer } from '@mmllm/core';
import { type BatchOptions, batchOf, type TokenBatch } from './batch';
import { classRules } from './classes';
import { readConfig, type TokenizerConfig } from './config';
import { type Encoding, encodingOf } from './encoding';
import { type JsonObject, parseObject } from './file';
import { decodesPiecewise } from './piecewise';
import { Pipeline } from './pipeline';
import { textStream } from './stream';

/** A tokenizer that was opened from its files, and can be saved. */
export interface JsonTokenizer
  extends TextTokenizer,
    Pick<
      TokenizerConfig,
      'specialTokens' | 'modelMaxLength' | 'paddingSide' | 'truncationSide' | 'modelInputNames'
    > {
  /** Ids of a text, without the tokens that the file puts around it. */
  encode(text: string): Int32Array;
  /** Everything about the tokens of a text, or of a pair of texts. */
  encoding(text: string, options?: { pair?: string; addSpecialTokens?: boolean }): Encoding;
  /** Texts as arrays of one length, as transformers' tokenizers give them. */
  batch(texts: readonly string[], options?: BatchOptions): TokenBatch;
  /** The content of its `tokenizer.json`, which Hugging Face's libraries read too. */
  toJson(): JsonObject;
}

/**
 * A tokenizer from a Hugging Face `tokenizer.json`. Ids, offsets and decoded texts are those of Hugging Face's own
 * library.
 *
 * @param json the file, parsed or as text.
 * @param config the `tokenizer_config.json` beside it, parsed or as text.
 * @throws TokenizerError for a file that is malformed, or holds a part of an unknown kind.
 */
export function tokenizerFromJson(
  json: JsonObject | string,
  config: JsonObject | string = {},
): JsonTokenizer {
  const file = parseObject('tokenizer.json', json);
  const configFile = parseObject('tokenizer_config.json', config);
  const rules = classRules(configFile);
  const settings = readConfig(configFile);
  const pipeline = new Pipeline(file, settings.special, rules);
  const { specialTokens, modelMaxLength, paddingSide, truncationSide, modelInputNames } = settings;
  return {
    specialTokens,
    modelMaxLength,
    paddingSide,
    truncationSide,
    modelInputNames,
    vocabSize: pipeline.vocabSize,
    tokenId: pipeline.idOf,
    encode: (text) => Int32Array.from(pipeline.ids(text)),
    decode: (ids, { skipSpecialTokens = false } = {}) =>
      pipeline.decode(ids, skipSpecialTokens, settings.cleanUp),
    stream: ({ skipSpecialTokens = false } = {}) =>
      textStream({
        decode: (ids) => pipeline.decode(ids, skipSpecialTokens, settings.cleanUp),
        isByte: (id) => /^<0x[0-9A-Fa-f]{2}>$/.test(pipeline.tokenOf(id)),
        isSkipped: (id) => skipSpecialTokens && pipeline.isSpecial(id),
        piecewise: rules.decode !== undefined || decodesPiecewise(file.decoder),
        rewritten: settings.cleanUp || rules.decode !== undefined || rules.text !== undefined,
      }),
    encoding(text, { pair, addSpecialTokens = true } = {}) {
      const texts = pair === undefined ? [text] : [text, pair];
      const sequences = texts.map((each) => pipeline.tokenize(each));
      return encodingOf(pipeline.process(sequences, addSpecialTokens), pipeline.tokenOf);
    },
    batch: (texts, options = {}) => batchOf(pipeline, settings, texts, options),
    toJson: () => file,
  };
}
