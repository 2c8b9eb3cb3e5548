import { expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { slopeOverGradient } from '../testing/parameter-gradients';
import { rowSums } from '../testing/tiled';
import { tinyBatch } from '../testing/tiny';
import { type InternVitConfig, internVit } from './index';

const tower = { imageSize: 8, patchSize: 4, hiddenSize: 12, numLayers: 2, numHeads: 3, layerScale: 0.5 };

describeBackends('InternViT', () => {
  it.each<[string, Partial<InternVitConfig>]>([
    ['6B', { numDummyHeads: 1 }],
    ['300M', { norm: 'layer', qkNorm: false, qkvBias: true, postNorm: true, features: { norm: true } }],
  ])('%s has the gradient that a loss follows', async (_, change) => {
    await expectNoLeak(async () => {
      const encoder = internVit({ ...tower, initializerRange: 0.4, ...change });
      encoder.initialize({ seed: 2 });
      const pixels = tf.randomNormal<tf.Rank.R4>([2, 8, 8, 3], 0, 1, 'float32', 4);
      const loss = () =>
        tf.tidy(() => tf.sum(rowSums(encoder.encode(tinyBatch(pixels)).features)) as tf.Scalar);
      expect(await slopeOverGradient(encoder, loss)).toBeCloseTo(1, 2);
      pixels.dispose();
      encoder.dispose();
    });
  });
});
