import * as tf from '@tensorflow/tfjs-core';

/**
 * Runs `fn`, awaits it, and checks that as many tensors are alive as before.
 *
 * @throws {Error} saying how many tensors `fn` left behind, or how many of its caller's it disposed of.
 */
export async function expectNoLeak(fn: () => unknown): Promise<void> {
  const before = tf.memory().numTensors;
  await fn();
  const extra = tf.memory().numTensors - before;
  if (extra > 0)
    throw new Error(`expected ${before} tensors afterwards, got ${before + extra}: ${extra} leaked`);
  if (extra < 0) {
    throw new Error(
      `expected ${before} tensors afterwards, got ${before + extra}: ${-extra} too many disposed`,
    );
  }
}
