import type { ImageTokens } from '@mmllm/core';
import { matmul } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { relayout } from '../shared/layout';
import { runsOf } from '../shared/runs';

/** The grids with one column more. */
export const layoutNewlines = (images: readonly ImageTokens[]): ImageTokens[] =>
  relayout(images, ({ count, grid }) => {
    const { frames, rows, columns } = grid!;
    return { count: count + frames * rows, grid: { frames, rows, columns: columns + 1 } };
  });

/**
 * float32[rows, D] with one token more at the end of each row of each grid. The caller owns the result.
 * @param newline float32[D]
 */
export function addNewlines(
  features: tf.Tensor2D,
  newline: tf.Tensor,
  images: readonly ImageTokens[],
): tf.Tensor2D {
  const views = images.flatMap((image) => image.views);
  const width = features.shape[1];
  return tf.tidy(() => {
    const parts = runsOf(views, (a, b) => a.grid?.columns === b.grid?.columns).map((run) => {
      const [{ start, grid }] = run;
      const { columns } = grid!;
      const lines = run.reduce((sum, { count }) => sum + count, 0) / columns;
      const tokens = tf.reshape<tf.Rank.R3>(tf.slice2d(features, [start, 0], [lines * columns, -1]), [
        lines,
        columns,
        width,
      ]);
      // A product, whose gradient is one too.
      const ends = matmul(tf.ones<tf.Rank.R2>([lines, 1]), tf.reshape(newline, [1, width]));
      const joined = tf.concat3d([tokens, tf.reshape<tf.Rank.R3>(ends, [lines, 1, width])], 1);
      return tf.reshape<tf.Rank.R2>(joined, [-1, width]);
    });
    return parts.length === 1 ? parts[0] : tf.concat2d(parts, 0);
  });
}

/** The same of a mask: a newline counts if a token of its row does. */
export function maskNewlines(
  mask: Uint8Array | undefined,
  images: readonly ImageTokens[],
): Uint8Array | undefined {
  if (!mask) return undefined;
  const longer: number[] = [];
  for (const { start, count, grid } of images.flatMap(({ views }) => views)) {
    for (let at = start; at < start + count; at += grid!.columns) {
      const line = mask.subarray(at, at + grid!.columns);
      longer.push(...line, Math.max(...line));
    }
  }
  return Uint8Array.from(longer);
}
