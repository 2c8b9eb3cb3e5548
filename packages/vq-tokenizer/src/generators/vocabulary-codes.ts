import {
  ConfigError,
  type Decoder,
  type ImageGenerator,
  type ImageGeneratorFactory,
  Module,
  parseConfig,
  type TokenIds,
  type VisionTokenizer,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';

export interface VocabularyCodesConfig {
  /** The word of the first code; the others follow. Default: they are the last words of the vocabulary. */
  firstId?: number;
}

const schema = z.strictObject({ firstId: z.int().nonnegative().optional() });

/** See `vocabularyCodes`. */
class VocabularyCodes extends Module implements ImageGenerator {
  readonly specVersion = 'image-generator/v1';
  readonly name = 'vocabulary-codes';
  readonly tokenizer: VisionTokenizer;
  readonly #decoder: Decoder;
  readonly #firstId: number;

  constructor(tokenizer: VisionTokenizer, decoder: Decoder, firstId: number) {
    super();
    this.tokenizer = tokenizer;
    this.#decoder = decoder;
    this.#firstId = firstId;
  }

  embed({ data, shape }: TokenIds): tf.Tensor3D {
    const { codebookSize } = this.tokenizer;
    const outside = data.find((code) => code < 0 || code >= codebookSize);
    if (outside !== undefined) {
      throw new ConfigError({
        component: 'vocabulary-codes',
        expected: `codes from 0 to ${codebookSize - 1}`,
        actual: `${outside}`,
      });
    }
    return this.#decoder.embed({ data: data.map((code) => this.#firstId + code), shape });
  }

  logits(hidden: tf.Tensor): tf.Tensor {
    return tf.tidy(() => {
      const logits = this.#decoder.logits(hidden);
      const rows = tf.reshape(logits, [-1, this.#decoder.vocabSize]);
      const { codebookSize } = this.tokenizer;
      const ofCodes = tf.slice(rows, [0, this.#firstId], [-1, codebookSize]);
      return tf.reshape(ofCodes, [...hidden.shape.slice(0, -1), codebookSize]);
    });
  }
}

/**
 * Codes that are words of the decoder's vocabulary, which embeds and predicts them as any other, as in Emu3 (Wang et al.
 * 2024, arXiv:2409.18869). It has no parameters beside the tokenizer's.
 *
 * @throws ConfigError for an unknown key or value.
 */
export function vocabularyCodes(
  tokenizer: VisionTokenizer,
  config: VocabularyCodesConfig = {},
): ImageGeneratorFactory {
  const { firstId } = parseConfig('vocabulary-codes', schema, config);
  return {
    specVersion: 'image-generator/v1',
    name: 'vocabulary-codes',
    build({ decoder }) {
      const { vocabSize } = decoder;
      const { codebookSize } = tokenizer;
      const first = firstId ?? vocabSize - codebookSize;
      if (first >= 0 && first + codebookSize <= vocabSize)
        return new VocabularyCodes(tokenizer, decoder, first);
      throw new ConfigError({
        component: 'vocabulary-codes.firstId',
        expected: `a place for ${codebookSize} codes among the ${vocabSize} words of the decoder`,
        actual: `${first}`,
      });
    },
  };
}
