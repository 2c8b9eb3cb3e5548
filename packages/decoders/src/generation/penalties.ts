import type { DecoderInputs } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { FilledOptions } from './options';

type Penalties = Pick<FilledOptions, 'repetitionPenalty' | 'presencePenalty' | 'frequencyPenalty'>;

/**
 * Makes tokens less likely that were there before. All work stays on the device.
 *
 * - repetition, of prompt and answer: positive logits are divided by the penalty, negative ones multiplied (Keskar et
 *   al. 2019, arXiv:1909.05858)
 * - presence and frequency, of the answer alone: the penalty is taken from the logit, once or for each time.
 */
export class TokenPenalties {
  readonly #penalties: Penalties;
  /** float32[B, vocabSize], 1 for tokens of the prompt, and how often each token was generated. */
  readonly #prompt: tf.Tensor2D;
  #generated: tf.Tensor2D;

  /** @param copies rows that each prompt becomes, one after the other */
  constructor(penalties: Penalties, inputs: DecoderInputs, vocabSize: number, copies = 1) {
    this.#penalties = penalties;
    const rows = copies * inputs.embeddings.shape[0];
    this.#prompt = tf.keep(tf.tensor2d(promptTokens(inputs, vocabSize, copies), [rows, vocabSize]));
    this.#generated = tf.keep(tf.zeros([rows, vocabSize]));
  }

  static areWanted({ repetitionPenalty, presencePenalty, frequencyPenalty }: Penalties): boolean {
    return repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
  }

  /** Counts one more token of each row. */
  add(ids: Int32Array): void {
    const before = this.#generated;
    const vocabSize = before.shape[1];
    this.#generated = tf.keep(
      tf.tidy(() => {
        const one = tf.cast(tf.oneHot(tf.tensor1d(ids, 'int32'), vocabSize), 'float32');
        return tf.add(before, one) as tf.Tensor2D;
      }),
    );
    before.dispose();
  }

  /** Row i becomes what row `rows[i]` was. */
  reorder(rows: readonly number[]): void {
    const before = this.#generated;
    const index = tf.tensor1d([...rows], 'int32');
    this.#generated = tf.keep(tf.gather(before, index));
    tf.dispose([before, index]);
  }

  /** float32[B, vocabSize] to the same shape. */
  apply(logits: tf.Tensor2D): tf.Tensor2D {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.#penalties;
    return tf.tidy(() => {
      let result: tf.Tensor2D = logits;
      if (repetitionPenalty !== 1) {
        const isSeen = tf.greater(tf.add(this.#prompt, this.#generated), 0);
        const less = tf.where<tf.Tensor2D>(
          tf.greater(result, 0),
          tf.div<tf.Tensor2D>(result, repetitionPenalty),
          tf.mul<tf.Tensor2D>(result, repetitionPenalty),
        );
        result = tf.where<tf.Tensor2D>(isSeen, less, result);
      }
      if (presencePenalty !== 0) {
        const isThere = tf.cast(tf.greater(this.#generated, 0), 'float32');
        result = tf.sub(result, tf.mul(isThere, presencePenalty));
      }
      if (frequencyPenalty !== 0) result = tf.sub(result, tf.mul(this.#generated, frequencyPenalty));
      return result;
    });
  }

  dispose(): void {
    tf.dispose([this.#prompt, this.#generated]);
  }
}

function promptTokens(
  { tokens, rule, embeddings }: DecoderInputs,
  vocabSize: number,
  copies: number,
): Float32Array {
  const [batch, length] = embeddings.shape;
  const seen = new Float32Array(batch * copies * vocabSize);
  for (let row = 0; tokens && row < batch * copies; row++) {
    const b = Math.floor(row / copies);
    for (let t = rule.start?.[b] ?? 0; t < length; t++) {
      const id = tokens.data[b * length + t];
      // Pictures have negative ones.
      if (id >= 0 && id < vocabSize) seen[row * vocabSize + id] = 1;
    }
  }
  return seen;
}
