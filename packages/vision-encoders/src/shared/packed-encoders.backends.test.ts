import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import type { PackedImages } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { pixtral } from '../pixtral';
import { qwen2Vl } from '../qwen2-vl';
import { slopeOverGradient } from '../testing/parameter-gradients';
import { rowSums } from '../testing/tiled';

const tower = { hiddenSize: 16, numLayers: 2, numHeads: 2, patchSize: 2, initializerRange: 0.4 };
const encoders = { 'qwen2-vl': () => qwen2Vl(tower), pixtral: () => pixtral(tower) };
type Name = keyof typeof encoders;
const names = Object.keys(encoders) as Name[];

/** What tfjs's cpu backend gives; on the golden cases the encoders equal the reference there. */
const expected: Record<Name, number[]> = {
  'qwen2-vl': [
    10.82458, 19.21496, 9.64528, 29.61098, 32.00816, -6.97481, 25.32761, -4.80374, 28.73836, 4.61018,
    26.05333, -0.06126,
  ],
  pixtral: [
    4.02866, -14.33286, 16.11404, 33.19234, 45.73421, 7.16598, 1.96989, 1.89649, -49.77337, 37.75143,
    -32.84111, 5.2365,
  ],
};

/** Pictures of 4 × 8 and 4 × 4 pixels: 8 and 4 patches. The caller owns the patches. */
function batchFor(length: number): PackedImages {
  const images = [8, 4].map((width) => ({
    views: [{ role: 'image', height: 4, width } as const],
    original: { height: 4, width },
  }));
  return { kind: 'packed', images, patches: tf.randomNormal([12, length], 0, 1, 'float32', 3) };
}

describeBackends('an encoder of packed pictures', () => {
  it.each(names)('%s gives the same features everywhere', async (name) => {
    await expectNoLeak(async () => {
      const encoder = encoders[name]();
      encoder.initialize({ seed: 2 });
      const batch = batchFor(encoder.patchEmbedding.inputSize);
      const { features } = encoder.encode(batch);
      const sums = rowSums(features);
      const data = Float32Array.from(expected[name]);
      await assertTensorsClose(sums, { shape: [data.length, 1], data }, { tolerance: 2e-4 });
      tf.dispose([batch.patches, features, sums]);
      encoder.dispose();
    });
  });

  it.each(names)('%s has the gradient that a loss follows', async (name) => {
    await expectNoLeak(async () => {
      const encoder = encoders[name]();
      encoder.initialize({ seed: 2 });
      const batch = batchFor(encoder.patchEmbedding.inputSize);
      const loss = () => tf.tidy(() => tf.sum(rowSums(encoder.encode(batch).features)) as tf.Scalar);
      expect(await slopeOverGradient(encoder, loss)).toBeCloseTo(1, 2);
      batch.patches.dispose();
      encoder.dispose();
    });
  });
});
