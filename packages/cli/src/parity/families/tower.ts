import type { VisionTransformer } from '@mmllm/vision-encoders/clip';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../case';
import type { Comparison } from '../comparison';
import { densePictures } from './pictures';

/** Height and width of the pictures, in pixels. */
export interface PictureSize {
  readonly height: number;
  readonly width: number;
}

/** An image tower whose features are what Hugging Face calls the last hidden state. */
export type Tower = Pick<VisionTransformer, 'encode' | 'hiddenStates' | 'pooled'>;

/** Compares every state of a tower on `in.pixels`. */
export async function compareTower(tower: Tower, golden: ParityCase, comparison: Comparison): Promise<void> {
  const batch = densePictures(await golden.floats('in.pixels'));
  comparison.own(batch.pixels);
  const states = tower.hiddenStates(batch);
  await comparison.giveAll(Object.fromEntries(states.map((state, depth) => [`out.hidden.${depth}`, state])));
  await comparison.giveAll({ 'out.last': lastState(tower, batch) });
  if (comparison.wants('out.pooled')) await comparison.give('out.pooled', tower.pooled(batch));
}

/** Compares the last state on `in.pixels_large`, of a tower that interpolates its positions to such pictures. */
export async function compareLarge(
  load: (inputSize: PictureSize) => Promise<Tower>,
  golden: ParityCase,
  comparison: Comparison,
): Promise<void> {
  if (!golden.has('in.pixels_large')) return;
  const pixels = await golden.floats('in.pixels_large');
  const [, , height, width] = pixels.shape;
  const tower = await load({ height, width });
  const batch = densePictures(pixels);
  comparison.own(batch.pixels);
  await comparison.giveAll({ 'out.large_last': lastState(tower, batch) });
}

/** float32[B, N, D] */
function lastState(tower: Tower, batch: ReturnType<typeof densePictures>): tf.Tensor {
  return tf.tidy(() => {
    const { features } = tower.encode(batch);
    return tf.reshape(features, [batch.images.length, -1, features.shape[1]]);
  });
}
