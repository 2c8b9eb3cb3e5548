import { compareTensors } from '@mmllm/conformance';
import type { PackedImages } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { PackedTransformer } from '../shared/packed-transformer';
import type { GoldenCase } from './golden';
import { hiddenOutputs, wrongOutputs } from './outputs';

/**
 * Which pictures of a batch get other features than alone, or see what becomes of the others, by messages. Alone they are
 * only close: how a matrix product rounds depends on how many rows it has. What the others show may not change a bit.
 */
export async function seesOthers(encoder: PackedTransformer, batch: PackedImages): Promise<string[]> {
  const together = encoder.encode(batch);
  const wrong: string[] = [];
  let start = 0;
  for (const [i, image] of batch.images.entries()) {
    const count = together.images[i].views.reduce((sum, view) => sum + view.count, 0);
    const part = (x: tf.Tensor2D) => tf.slice2d(x, [start, 0], [count, -1]);
    const patches = part(batch.patches);
    const alone = encoder.encode({ kind: 'packed', images: [image], patches }).features;
    const own = part(together.features);
    const close = await compareTensors(own, alone, { name: `picture ${i}`, tolerance: 1e-5 });
    if (!close.ok) wrong.push(close.message);
    const others = amongNoise(batch, start, count);
    const changed = encoder.encode(others).features;
    const still = part(changed);
    const [before, after] = [await own.data(), await still.data()];
    if (!before.every((value, at) => value === after[at])) wrong.push(`picture ${i} sees the others`);
    tf.dispose([patches, alone, own, others.patches, changed, still]);
    start += count;
  }
  together.features.dispose();
  return wrong;
}

/** The batch with only some of its patches, and noise in place of the others. */
function amongNoise({ images, patches }: PackedImages, start: number, count: number): PackedImages {
  const [rows] = patches.shape;
  const kept = Array.from({ length: rows }, (_, row) => row >= start && row < start + count);
  const changed = tf.tidy(() => {
    const noise = tf.randomNormal<tf.Rank.R2>(patches.shape, 0, 20, 'float32', 9);
    return tf.where(tf.tensor2d(kept, [rows, 1], 'bool'), patches, noise) as tf.Tensor2D;
  });
  return { kind: 'packed', images, patches: changed };
}

/**
 * The hidden states that differ from `out.hidden.*` of a case, by messages.
 * @param order which of our tokens stands at each place of the case. Default: the same.
 */
export async function wrongStates(
  encoder: PackedTransformer,
  batch: PackedImages,
  golden: GoldenCase,
  order?: readonly number[],
): Promise<string[]> {
  const states = tf.tidy(() =>
    encoder.hiddenStates(batch).map((state, depth) => {
      const ordered = order ? tf.gather(state, [...order], 1) : state;
      return tf.reshape(ordered, [...golden.tensor(`out.hidden.${depth}`).shape]);
    }),
  );
  const wrong = await wrongOutputs(golden, hiddenOutputs(states));
  tf.dispose(states);
  return wrong;
}
