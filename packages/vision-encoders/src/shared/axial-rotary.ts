import type { ViewTokens } from '@mmllm/core';
import type { Rotary } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';

/** Frequencies by which the row of a token turns the first part of its pairs, and its column the rest. */
export interface AxialFrequencies {
  readonly rows: Float32Array;
  readonly columns: Float32Array;
}

/**
 * Rotations of tokens by their places in the grid of their view, float32[1, tokens, pairs] each, computed on the host from
 * angles rounded to float32. The caller owns both tensors.
 */
export function axialRotary(views: readonly ViewTokens[], { rows, columns }: AxialFrequencies): Rotary {
  const pairs = rows.length + columns.length;
  const numTokens = views.reduce((sum, { count }) => sum + count, 0);
  const [cos, sin] = [new Float32Array(numTokens * pairs), new Float32Array(numTokens * pairs)];
  let at = 0;
  const turn = (place: number, frequencies: Float32Array) => {
    for (const frequency of frequencies) {
      const angle = Math.fround(place * frequency);
      cos[at] = Math.cos(angle);
      sin[at] = Math.sin(angle);
      at++;
    }
  };
  for (const { count, grid = { frames: 1, rows: 1, columns: count } } of views) {
    for (let token = 0; token < count; token++) {
      turn(Math.floor(token / grid.columns) % grid.rows, rows);
      turn(token % grid.columns, columns);
    }
  }
  const shape: [number, number, number] = [1, numTokens, pairs];
  return { cos: tf.tensor3d(cos, shape), sin: tf.tensor3d(sin, shape) };
}
