import type { ImageTokens, ViewTokens } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

/** Neighbours of a list that are alike, together. */
export function runsOf<T>(items: readonly T[], isAlike: (a: T, b: T) => boolean): T[][] {
  const runs: T[][] = [];
  for (const item of items) {
    const run = runs.at(-1);
    if (run && isAlike(run[0], item)) run.push(item);
    else runs.push([item]);
  }
  return runs;
}

/** Whether the tokens of two views can be computed as one batch. */
function areAlike(a: ViewTokens, b: ViewTokens): boolean {
  const [one, other] = [a, b].map(({ count, prefix, grid }) => [count, prefix, grid?.rows, grid?.columns]);
  return one.every((size, i) => size === other[i]);
}

/**
 * Computes the tokens of views that are alike as one batch: float32[views, tokens, D] to float32[views, tokens', E]. The
 * caller owns the result, float32[rows', E].
 */
export function overViews(
  features: tf.Tensor2D,
  images: readonly ImageTokens[],
  compute: (tokens: tf.Tensor3D, views: readonly ViewTokens[]) => tf.Tensor3D,
): tf.Tensor2D {
  const runs = runsOf(
    images.flatMap(({ views }) => views),
    areAlike,
  );
  return tf.tidy(() => {
    const parts = runs.map((views) => {
      const [{ start, count }] = views;
      const rows = tf.slice2d(features, [start, 0], [views.length * count, -1]);
      const result = compute(tf.reshape(rows, [views.length, count, -1]), views);
      return tf.reshape<tf.Rank.R2>(result, [-1, result.shape[2]]);
    });
    return parts.length === 1 ? parts[0] : tf.concat2d(parts, 0);
  });
}

/** float32[N, D] so many times, float32[times, N, D]. A product, whose gradient is a sum; that of `tf.tile` takes steps. */
export function repeated(x: tf.Tensor2D, times: number): tf.Tensor3D {
  return tf.tidy(() => tf.mul(tf.expandDims<tf.Tensor3D>(x, 0), tf.ones([times, 1, 1])));
}
