import * as tf from '@tensorflow/tfjs-core';

/**
 * The states of the given depths: 0 is `first`, 1 what the first block makes of it. Deeper blocks are not run; states
 * that are not asked for are freed on the way, `first` among them.
 */
export function statesAt(
  depths: readonly number[],
  first: tf.Tensor3D,
  block: (x: tf.Tensor3D, index: number) => tf.Tensor3D,
): tf.Tensor3D[] {
  const states = new Map<number, tf.Tensor3D>();
  const deepest = Math.max(...depths);
  let x = first;
  for (let depth = 0; depth < deepest; depth++) {
    const next = tf.tidy(() => block(x, depth));
    if (depths.includes(depth)) states.set(depth, x);
    else x.dispose();
    x = next;
  }
  states.set(deepest, x);
  return depths.map((depth) => states.get(depth) as tf.Tensor3D);
}
