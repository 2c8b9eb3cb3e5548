import { expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { slopeOverGradient } from '../testing/parameter-gradients';
import { tinyLoss, tinyModels } from '../testing/tiny';

describeBackends('a contrastive step', () => {
  it.each(['clip', 'siglip'] as const)('of %s has the gradient that the loss follows', async (name) => {
    await expectNoLeak(async () => {
      const model = tinyModels[name](1);
      model.initialize({ seed: 2 });
      const pixels = tf.randomNormal<tf.Rank.R4>([2, 8, 8, 3], 0, 1, 'float32', 4);
      expect(await slopeOverGradient(model, () => tinyLoss(model, pixels))).toBeCloseTo(1, 2);
      pixels.dispose();
      model.dispose();
    });
  });
});
