import {
  type AttentionRule,
  ContextLengthError,
  type Decoder,
  type DecoderInputs,
  type FinishReason,
  type GeneratedTokens,
  type GenerateOptions,
  type KeyValueCache,
  nextPositions,
  type Positions,
  parseConfig,
  ShapeError,
  type TextInputs,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { embedText } from './inputs';
import { tokenChooser } from './sampling';

const DEFAULT_NEW_TOKENS = 64;

const schema = z.object({
  maxNewTokens: z.int().positive().optional(),
  temperature: z.number().nonnegative().default(0),
  topK: z.int().positive().optional(),
  topP: z.number().positive().max(1).optional(),
  seed: z.number().default(0),
  stopIds: z.array(z.int()).readonly().default([]),
  signal: z.custom<AbortSignal>().optional(),
});

/**
 * Streams one token a step for every sequence of a left-padded batch: the prompt in one pass, then token by token
 * through a cache. A step reads back one number per sequence. What the step holds is freed when the loop ends, also
 * by `break`, an error or the signal.
 *
 * @throws ConfigError for options outside their range.
 * @throws ContextLengthError if prompt and `maxNewTokens` exceed `maxLength`. The default, 64, yields to the context.
 * @throws ShapeError for a rule that does not say what comes after the prompt. The signal's reason, when it aborts.
 */
export async function* generateTokens(
  decoder: Decoder,
  inputs: DecoderInputs | TextInputs,
  options: GenerateOptions = {},
): AsyncGenerator<GeneratedTokens, void> {
  if ('embeddings' in inputs) {
    yield* generateFrom(decoder, inputs, options);
    return;
  }
  const embedded = embedText(decoder, inputs);
  try {
    yield* generateFrom(decoder, embedded, options);
  } finally {
    embedded.embeddings.dispose();
  }
}

async function* generateFrom(
  decoder: Decoder,
  inputs: DecoderInputs,
  options: GenerateOptions,
): AsyncGenerator<GeneratedTokens, void> {
  const { signal, stopIds, ...rest } = parseConfig('generate', schema, options);
  signal?.throwIfAborted();
  const [batch, length] = inputs.embeddings.shape;
  const maxNewTokens = budget(decoder, length, rest.maxNewTokens);
  const rule = ruleAfterPrompt(decoder, inputs.rule);
  const choose = tokenChooser(batch, rest);
  const progress = new Progress(batch, maxNewTokens, stopIds);
  // The last token is never fed back.
  const cache = decoder.createCache(batch, length + maxNewTokens - 1);
  // The last tensors of a step are B numbers; all others end with this scope.
  const advance = (step: () => DecoderInputs) =>
    read(tf.tidy(() => choose(lastLogits(decoder, step(), cache))));
  try {
    const first = nextPositions(inputs.positions);
    let ids = await advance(() => inputs);
    for (let step = 0; ; step++) {
      signal?.throwIfAborted();
      yield progress.record(ids);
      if (progress.done) return;
      signal?.throwIfAborted();
      const data = ids;
      ids = await advance(() => ({
        embeddings: decoder.embed({ data, shape: [batch, 1] }),
        positions: stepPositions(first, step, inputs.positions.axes),
        rule,
        injections: inputs.injections,
      }));
    }
  } finally {
    cache.dispose();
  }
}

function budget(decoder: Decoder, length: number, wanted: number | undefined): number {
  const room = decoder.maxLength - length;
  const needed = wanted ?? 1;
  if (needed <= room) return wanted ?? Math.min(DEFAULT_NEW_TOKENS, room);
  throw new ContextLengthError({
    component: `decoder '${decoder.name}'`,
    expected: `at most ${decoder.maxLength} tokens, prompt and answer together`,
    actual: `${length} + ${needed}`,
  });
}

/** What holds for the tokens after the prompt: each sees all before it, from `start` on. */
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

/** float32[B, vocabSize] of each sequence's last token; the others never meet the head. */
function lastLogits(decoder: Decoder, inputs: DecoderInputs, cache: KeyValueCache): tf.Tensor2D {
  const { hidden } = decoder.forward(inputs, { cache });
  const [batch, length, width] = hidden.shape;
  const last = tf.reshape(tf.slice(hidden, [0, length - 1, 0], [batch, 1, width]), [batch, width]);
  return decoder.logits(last) as tf.Tensor2D;
}

async function read(ids: tf.Tensor1D): Promise<Int32Array> {
  try {
    return Int32Array.from(await ids.data());
  } finally {
    ids.dispose();
  }
}

/** A new token of text stands at one position, the same on all axes. */
function stepPositions(first: Int32Array, step: number, axes: Positions['axes']): Positions {
  const batch = first.length;
  const data = Int32Array.from({ length: axes * batch }, (_, i) => first[i % batch] + step);
  return { data, axes, shape: [batch, 1] };
}

/** Who has finished, and why. */
class Progress {
  readonly #finished: (FinishReason | undefined)[];
  readonly #maxNewTokens: number;
  readonly #stopIds: ReadonlySet<number>;
  #steps = 0;

  constructor(batch: number, maxNewTokens: number, stopIds: readonly number[]) {
    this.#finished = new Array(batch).fill(undefined);
    this.#maxNewTokens = maxNewTokens;
    this.#stopIds = new Set(stopIds);
  }

  get done(): boolean {
    return this.#finished.every((reason) => reason !== undefined);
  }

  /** What to tell of one step's tokens, one for every sequence, also for those that need none any more. */
  record(tokens: Int32Array): GeneratedTokens {
    this.#steps++;
    const ids = tokens.map((token, row) => {
      if (this.#finished[row]) return -1;
      if (this.#stopIds.has(token)) {
        this.#finished[row] = 'stop';
        return -1;
      }
      if (this.#steps === this.#maxNewTokens) this.#finished[row] = 'length';
      return token;
    });
    return { ids, finished: [...this.#finished] };
  }
}
