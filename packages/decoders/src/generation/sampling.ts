import { type GenerateOptions, random } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

export type SamplingOptions = Pick<GenerateOptions, 'topK' | 'topP' | 'minP'> & {
  temperature: number;
  seed: number;
};

/** Picks one token a row: float32[B, vocabSize] to int32[B]. The caller owns the result. */
export type TokenChooser = (logits: tf.Tensor2D) => tf.Tensor1D;

/**
 * Greedy for temperature 0, else sampling. Every row draws from a stream of its own, so what a row gets depends on
 * seed, row and logits alone. All work stays on the device.
 */
export function tokenChooser(
  batch: number,
  { temperature, topK, topP, minP, seed }: SamplingOptions,
): TokenChooser {
  if (temperature === 0) return (logits) => tf.argMax(logits, 1);
  const streams = Array.from({ length: batch }, (_, row) => random(seed, 'sample', row));
  return (logits) => {
    const draws = Float32Array.from(streams, (stream) => stream.uniform());
    return sampleTokens(logits, draws, { temperature, topK, topP, minP });
  };
}

/**
 * Inverts the cumulative distribution of `softmax(logits / temperature)` at one draw per row. Of the distribution,
 * `topK` keeps the likeliest tokens, then `topP` the fewest likeliest whose probabilities reach p (Holtzman et al.
 * 2019, arXiv:1904.09751), then `minP` those that are at least so many times as likely as the likeliest (Nguyen et al.
 * 2024, arXiv:2407.01082).
 *
 * @param draws float32[B] in [0, 1].
 */
export function sampleTokens(
  logits: tf.Tensor2D,
  draws: Float32Array,
  { temperature, topK, topP, minP = 0 }: Omit<SamplingOptions, 'seed'>,
): tf.Tensor1D {
  return tf.tidy(() => {
    const [batch, vocabSize] = logits.shape;
    const sorted =
      topK === undefined && topP === undefined
        ? undefined
        : tf.topk(logits, Math.min(topK ?? vocabSize, vocabSize), true);
    const probabilities = tf.softmax(tf.div(sorted?.values ?? logits, temperature)) as tf.Tensor2D;
    const nuclear = topP === undefined ? probabilities : nucleus(probabilities, topP);
    const mass = cumulative(minP === 0 ? nuclear : likelyEnough(nuclear, minP));
    const total = tf.slice(mass, [0, mass.shape[1] - 1], [batch, 1]);
    // A draw of almost one rounds to the whole mass, which also the impossible tokens at the end have reached.
    const passed = tf.logicalAnd(
      tf.lessEqual(mass, tf.mul(total, tf.tensor2d(draws, [batch, 1]))),
      tf.less(mass, total),
    );
    const place = tf.sum(tf.cast(passed, 'int32'), 1) as tf.Tensor1D;
    return sorted ? pick(sorted.indices as tf.Tensor2D, place) : place;
  });
}

/** Sums up to and including each token. A negative axis breaks tfjs's cumsum. */
const cumulative = (probabilities: tf.Tensor2D): tf.Tensor2D => tf.cumsum(probabilities, 1);

/** Zero for every token before which the likelier ones already make up p. Rows are sorted, likeliest first. */
function nucleus(probabilities: tf.Tensor2D, p: number): tf.Tensor2D {
  const before = tf.cumsum(probabilities, 1, true);
  return tf.mul(probabilities, tf.cast(tf.less(before, p), 'float32'));
}

/** Zero for every token less likely than so many times the likeliest. */
function likelyEnough(probabilities: tf.Tensor2D, share: number): tf.Tensor2D {
  const least = tf.mul(tf.max(probabilities, 1, true), share);
  return tf.mul(probabilities, tf.cast(tf.greaterEqual(probabilities, least), 'float32'));
}

/** `rows[b, place[b]]`: int32[B] of int32[B, N] and int32[B]. */
function pick(rows: tf.Tensor2D, place: tf.Tensor1D): tf.Tensor1D {
  const [batch, width] = rows.shape;
  const flat = tf.add(place, tf.mul(tf.range(0, batch, 1, 'int32'), tf.scalar(width, 'int32')));
  return tf.gather(tf.reshape(rows, [-1]), tf.cast(flat, 'int32') as tf.Tensor1D) as tf.Tensor1D;
}
