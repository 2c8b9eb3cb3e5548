import { ConfigError, type Decoder, type DecoderInputs, ShapeError, type TextInputs } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { embedded } from '../shared/inputs';
import { PromptRun } from './prompt-run';

/**
 * The log-probability of each continuation of one prompt, the sum over its tokens. The prompt runs once, then all
 * continuations beside each other.
 * @param inputs one prompt; they stay the caller's.
 * @throws ShapeError for more than one prompt, ConfigError for no continuation or an empty one, ContextLengthError.
 */
export async function scoreContinuations(
  decoder: Decoder,
  inputs: DecoderInputs | TextInputs,
  continuations: readonly (readonly number[])[],
): Promise<Float32Array> {
  const prompt = embedded(decoder, inputs);
  try {
    return await scoreAfter(decoder, prompt.inputs, continuations);
  } finally {
    prompt.dispose();
  }
}

async function scoreAfter(
  decoder: Decoder,
  inputs: DecoderInputs,
  continuations: readonly (readonly number[])[],
): Promise<Float32Array> {
  const [batch, length] = inputs.embeddings.shape;
  const component = `decoder '${decoder.name}'`;
  if (batch !== 1) throw new ShapeError({ component, expected: 'one prompt to score', actual: `${batch}` });
  if (continuations.length === 0 || continuations.some((tokens) => tokens.length === 0)) {
    throw new ConfigError({ component, expected: 'continuations of at least one token', actual: 'none' });
  }
  const longest = Math.max(...continuations.map((tokens) => tokens.length));
  const run = new PromptRun(decoder, inputs, { capacity: length + longest });
  try {
    const first = places(continuations, 0, 1);
    const rest = places(continuations, 1, longest);
    const logs = tf.tidy(() => {
      const count = continuations.length;
      const logits = tf.gather(run.first(), tf.zeros([count], 'int32'));
      const ofFirst = logsAt(tf.expandDims(logits, 1), first);
      if (longest === 1) return ofFirst;
      if (count > 1) run.fork(count);
      // What stands behind a shorter one is seen by nothing that counts.
      const fed = continuations.flatMap((tokens) =>
        Array.from({ length: longest - 1 }, (_, t) => (t < tokens.length - 1 ? tokens[t] : 0)),
      );
      const hidden = run.feed(Int32Array.from(fed), longest - 1);
      return tf.concat([ofFirst, logsAt(decoder.logits(hidden), rest)]);
    });
    const values = await logs.data<'float32'>();
    logs.dispose();
    const scores = new Float32Array(continuations.length);
    for (const [i, [row]] of [...first, ...rest].entries()) scores[row] += values[i];
    return scores;
  } finally {
    run.dispose();
  }
}

/** [row, time, token] of the tokens from `from` to `to` (exclusive) of every continuation; time counts from `from`. */
const places = (continuations: readonly (readonly number[])[], from: number, to: number): number[][] =>
  continuations.flatMap((tokens, row) => tokens.slice(from, to).map((token, t) => [row, t, token]));

/** The log-probabilities at these places of float32[rows, time, vocabSize]. */
function logsAt(logits: tf.Tensor, at: readonly number[][]): tf.Tensor1D {
  return tf.gatherND(tf.logSoftmax(logits), tf.tensor2d([...at], [at.length, 3], 'int32')) as tf.Tensor1D;
}
