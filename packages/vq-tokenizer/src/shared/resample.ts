import * as tf from '@tensorflow/tfjs-core';

/**
 * Each pixel `factor` times in both directions: float32[B, H, W, C] to float32[B, factor · H, factor · W, C]. Copies side
 * by side in the last axis, since tfjs's own op has a wrong gradient on some backends. The caller owns the result.
 */
export function enlarge(x: tf.Tensor4D, factor: number): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const copies = <T extends tf.Tensor>(tensor: T) => tf.concat(Array<T>(factor).fill(tensor), -1);
  return tf.tidy(() => {
    const wide = factor === 1 ? x : copies(x);
    const rows = tf.reshape(wide, [batch, height, factor * width * channels]);
    const high = factor === 1 ? rows : copies(rows);
    return tf.reshape(high, [batch, factor * height, factor * width, channels]);
  });
}

/**
 * What the steps make of `x`, one after the other. What a step made is freed once the next has run; `x` stays the
 * caller's. The caller owns the result.
 */
export function through<T extends tf.Tensor>(x: T, steps: readonly ((x: T) => T)[]): T {
  return steps.reduce((before, step, i) => {
    const next = tf.tidy(() => step(before));
    if (i > 0) before.dispose();
    return next;
  }, x);
}
