import { type FusionInputs, type ImageTokens, ShapeError } from '@mmllm/core';
import { selectRows } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { NEWLINE } from './arrangements/arrangement';
import type { PlacedImage } from './images';

/**
 * Embeddings of a text whose image tokens are to be replaced, float32[B, T, D]. The image token may lie outside the
 * vocabulary. The caller owns the result.
 */
export function embedText({ ids, imageTokenId, embed }: FusionInputs): tf.Tensor3D {
  return embed({ data: ids.data.map((id) => (id === imageTokenId ? 0 : id)), shape: ids.shape });
}

/** Where the text stays. */
const TEXT = -1;

/**
 * What takes each place of the text: a feature row, `NEWLINE`, or −1 where the text stays, int32[B · T].
 *
 * @param slotsOf what takes the place of each image token of a picture; as many as it has.
 */
export function sourceRows(
  images: readonly PlacedImage[],
  [batch, length]: readonly [number, number],
  slotsOf: (image: ImageTokens) => readonly number[],
): Int32Array {
  const source = new Int32Array(batch * length).fill(TEXT);
  for (const { image, sample, positions } of images) {
    const slots = slotsOf(image);
    positions.forEach((t, i) => {
      source[sample * length + t] = slots[i];
    });
  }
  return source;
}

/** What is put where in a text. */
export interface Joined {
  /** float32[rows, D] */
  readonly features: tf.Tensor2D;
  /** int32[B · T] as of `sourceRows`; no feature row twice. */
  readonly source: Int32Array;
  /** float32[D], for places of `NEWLINE`. */
  readonly newline?: tf.Tensor;
}

/**
 * `text` with feature rows in some places. The caller owns the result.
 *
 * @param text float32[B, T, D]
 * @throws ShapeError if widths differ or a row is missing.
 */
export function replaceRows(
  component: string,
  text: tf.Tensor3D,
  { features, source, newline }: Joined,
): tf.Tensor3D {
  checkRows(component, text, features, source);
  const [batch, length, width] = text.shape;
  const numText = batch * length;
  return tf.tidy(() => {
    const rows = tf.concat([tf.reshape(text, [numText, width]), features], 0) as tf.Tensor2D;
    const index = source.map((slot, place) => {
      if (slot === NEWLINE) return -1;
      return slot === TEXT ? place : numText + slot;
    });
    const joined = tf.reshape<tf.Rank.R3>(selectRows(rows, index), text.shape);
    if (!newline || !source.includes(NEWLINE)) return joined;
    const ends = Float32Array.from(source, (slot) => (slot === NEWLINE ? 1 : 0));
    return tf.add<tf.Tensor3D>(joined, tf.mul(tf.tensor3d(ends, [batch, length, 1]), newline));
  });
}

/** `text` with feature rows added in some places; otherwise as `replaceRows`, without a newline. */
export function addRows(component: string, text: tf.Tensor3D, { features, source }: Joined): tf.Tensor3D {
  checkRows(component, text, features, source);
  return tf.tidy(() => tf.add(text, tf.reshape(selectRows(features, source), text.shape)));
}

function checkRows(component: string, text: tf.Tensor3D, features: tf.Tensor2D, source: Int32Array): void {
  const needed = source.reduce((max, row) => Math.max(max, row + 1), 0);
  if (features.shape[1] === text.shape[2] && features.shape[0] >= needed) return;
  throw new ShapeError({
    component,
    expected: `features float32[${needed} or more, ${text.shape[2]}]`,
    actual: `[${features.shape.join(', ')}]`,
  });
}
