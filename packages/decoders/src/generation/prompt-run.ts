import {
  type AttentionRule,
  type CacheOptions,
  type Decoder,
  type DecoderInputs,
  type KeyValueCache,
  nextPositions,
  type Positions,
  type PromptMemory,
  ShapeError,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { CachedPrompt } from './memory';

/** A left-padded batch of prompts on its way through a decoder: all of it at first, then token by token through a cache. */
export class PromptRun {
  readonly #decoder: Decoder;
  readonly #inputs: DecoderInputs;
  #cache: KeyValueCache;
  readonly #memory?: CachedPrompt;
  /** What holds after the prompt, and the position of the first token there, for every row. */
  #rule: AttentionRule;
  #first: Int32Array;
  #steps = 0;

  /**
   * @param memory what runs no more than the rest of a prompt that begins as the last one did. Without it a cache of its own
   * is made.
   * @throws ShapeError for a rule that does not say what comes after the prompt; the inputs stay the caller's.
   */
  constructor(decoder: Decoder, inputs: DecoderInputs, options: CacheOptions, memory?: PromptMemory) {
    this.#decoder = decoder;
    this.#inputs = inputs;
    this.#rule = ruleAfterPrompt(decoder, inputs.rule);
    this.#first = nextPositions(inputs.positions);
    this.#memory = memory && CachedPrompt.lend(memory, decoder, inputs);
    this.#cache = this.#memory?.cache ?? decoder.createCache(inputs.embeddings.shape[0], options);
  }

  /** float32[B, vocabSize] of each prompt's last token; the others never meet the head. */
  first(): tf.Tensor2D {
    const known = this.#cache.length;
    this.#memory?.add(this.#inputs.tokens!.data.subarray(known));
    return this.#ofLast(this.#forward(known === 0 ? this.#inputs : restOf(this.#inputs, known)));
  }

  /** float32[rows, vocabSize] after one more token in each row. */
  next(ids: Int32Array): tf.Tensor2D {
    return this.#ofLast(this.feed(ids, 1));
  }

  /** Hidden states float32[rows, T, hiddenSize] of T more tokens in each row. */
  feed(data: Int32Array, length: number): tf.Tensor3D {
    const [rows, step] = [data.length / length, this.#steps];
    this.#steps += length;
    this.#memory?.add(data);
    const { axes } = this.#inputs.positions;
    // A new token of text stands at one position, the same on all axes.
    const positions = Int32Array.from(
      { length: axes * data.length },
      (_, i) => this.#first[Math.floor(i / length) % rows] + step + (i % length),
    );
    const shape = [rows, length] as const;
    return this.#forward({
      embeddings: this.#decoder.embed({ data, shape }),
      positions: { data: positions, axes, shape },
      rule: this.#rule,
      injections: this.#inputs.injections,
    });
  }

  /** Each row becomes `count` rows, one after the other. */
  fork(count: number): void {
    const rows = Array.from(this.#first, (_, row) => new Array<number>(count).fill(row)).flat();
    const forked = this.#cache.select(rows);
    this.#cache.dispose();
    this.#cache = forked;
    const spread = (values: Int32Array | undefined) => values && Int32Array.from(rows, (row) => values[row]);
    this.#first = Int32Array.from(rows, (row) => this.#first[row]);
    this.#rule = { ...this.#rule, start: spread(this.#rule.start), prefix: spread(this.#rule.prefix) };
  }

  /** Row i goes on from what row `rows[i]` was; they are of one prompt. */
  reorder(rows: readonly number[]): void {
    this.#cache.reorder(rows);
  }

  dispose(): void {
    if (this.#memory) this.#memory.giveBack();
    else this.#cache.dispose();
  }

  #forward(inputs: DecoderInputs): tf.Tensor3D {
    return this.#decoder.forward(inputs, { cache: this.#cache }).hidden;
  }

  #ofLast(hidden: tf.Tensor3D): tf.Tensor2D {
    const [batch, length, width] = hidden.shape;
    const last = tf.reshape(tf.slice(hidden, [0, length - 1, 0], [batch, 1, width]), [batch, width]);
    return this.#decoder.logits(last) as tf.Tensor2D;
  }
}

/** Everything behind the first `known` tokens of one prompt. */
function restOf(inputs: DecoderInputs, known: number): DecoderInputs {
  const { embeddings, positions } = inputs;
  const [, length, width] = embeddings.shape;
  const rest = length - known;
  const data = positions.data.filter((_, i) => i % length >= known);
  const shown: Positions = { ...positions, data, shape: [1, rest] };
  return { ...inputs, embeddings: tf.slice(embeddings, [0, known, 0], [1, rest, width]), positions: shown };
}

/** Each token after the prompt sees all before it, from `start` on. */
function ruleAfterPrompt(decoder: Decoder, rule: AttentionRule): AttentionRule {
  if (rule.bias || rule.queryBlocks || rule.keyBlocks) {
    throw new ShapeError({
      component: `decoder '${decoder.name}'`,
      expected: 'a rule that goes on after the prompt',
      actual: rule.bias ? 'one with a bias' : 'one with blocks',
    });
  }
  return { causal: rule.causal, start: rule.start, prefix: rule.prefix, window: rule.window };
}
