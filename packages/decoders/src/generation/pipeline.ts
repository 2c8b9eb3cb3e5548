import type { DecoderInputs, LogitsProcessor } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { FilledOptions } from './options';
import { TokenPenalties } from './penalties';

/** What happens to the logits of a step before a token is picked: penalties, the least length, then the caller's own. */
export class LogitsPipeline {
  readonly #penalties?: TokenPenalties;
  readonly #processors: readonly LogitsProcessor[];
  #tokens: number[][];
  readonly #forbidden?: tf.Tensor1D;
  readonly #minNewTokens: number;

  /** @param copies rows that each prompt becomes, one after the other */
  constructor(options: FilledOptions, inputs: DecoderInputs, vocabSize: number, copies = 1) {
    const { processors, minNewTokens, stopIds } = options;
    this.#processors = processors;
    this.#minNewTokens = minNewTokens;
    this.#tokens = Array.from({ length: copies * inputs.embeddings.shape[0] }, () => []);
    if (TokenPenalties.areWanted(options)) {
      this.#penalties = new TokenPenalties(options, inputs, vocabSize, copies);
    }
    if (minNewTokens > 0 && stopIds.length > 0) {
      const values = new Float32Array(vocabSize);
      for (const id of stopIds) values[id] = FORBIDDEN;
      this.#forbidden = tf.keep(tf.tensor1d(values));
    }
  }

  /** Counts the token of each row that was just picked. */
  add(ids: Int32Array): void {
    this.#penalties?.add(ids);
    for (const [row, id] of ids.entries()) this.#tokens[row].push(id);
  }

  /** Row i becomes what row `rows[i]` was. */
  reorder(rows: readonly number[]): void {
    this.#penalties?.reorder(rows);
    this.#tokens = rows.map((row) => [...this.#tokens[row]]);
  }

  /** float32[B, vocabSize] to the same shape. */
  apply(logits: tf.Tensor2D): tf.Tensor2D {
    let result = this.#penalties?.apply(logits) ?? logits;
    const step = this.#tokens[0]?.length ?? 0;
    if (this.#forbidden && step < this.#minNewTokens) result = tf.add(result, this.#forbidden);
    for (const process of this.#processors) result = process(result, { step, tokens: this.#tokens });
    return result;
  }

  dispose(): void {
    this.#penalties?.dispose();
    this.#forbidden?.dispose();
  }
}

/** Below every logit, and far from infinity, whose products are NaN. */
const FORBIDDEN = -1e30;
