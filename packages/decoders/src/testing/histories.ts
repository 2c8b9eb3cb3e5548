import {
  type AttentionRule,
  type Decoder,
  type DecoderInputs,
  type KeyValueCache,
  sequentialPositions,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

const rule: AttentionRule = { causal: true };

/** What a decoder takes for tokens of unpadded rows, from position `offset` on. The caller disposes of the embeddings. */
function inputsAt(decoder: Decoder, rows: readonly (readonly number[])[], offset: number): DecoderInputs {
  const shape = [rows.length, rows[0]?.length ?? 0] as const;
  const positions = sequentialPositions(shape);
  return {
    embeddings: decoder.embed({ data: Int32Array.from(rows.flat()), shape }),
    positions: { ...positions, data: positions.data.map((position) => position + offset) },
    rule,
  };
}

/** float32[B, T, hiddenSize] of the next tokens of all rows, which the cache holds then. */
export const feed = (
  decoder: Decoder,
  cache: KeyValueCache,
  rows: readonly (readonly number[])[],
): tf.Tensor3D => tf.tidy(() => decoder.forward(inputsAt(decoder, rows, cache.length), { cache }).hidden);

/** float32[B, vocabSize] of the last of the states float32[B, T, hiddenSize]. */
export function lastLogits(decoder: Decoder, hidden: tf.Tensor3D): tf.Tensor2D {
  const [batch, length, width] = hidden.shape;
  return tf.tidy(() => {
    const last = tf.slice(hidden, [0, length - 1, 0], [batch, 1, width]);
    return decoder.logits(tf.reshape(last, [batch, width])) as tf.Tensor2D;
  });
}

/** The likeliest tokens one after the other, through the cache. */
export async function greedy(
  decoder: Decoder,
  cache: KeyValueCache,
  prompt: readonly number[],
  count: number,
): Promise<{ tokens: number[]; logits: Float32Array[] }> {
  const [tokens, logits]: [number[], Float32Array[]] = [[], []];
  let next: readonly number[] = prompt;
  for (let i = 0; i < count; i++) {
    const row = tf.tidy(() => lastLogits(decoder, feed(decoder, cache, [next])));
    const values = await row.data<'float32'>();
    row.dispose();
    logits.push(values.slice());
    next = [values.indexOf(Math.max(...values))];
    tokens.push(...next);
  }
  return { tokens, logits };
}
