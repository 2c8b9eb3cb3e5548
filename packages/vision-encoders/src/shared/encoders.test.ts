import { startBackend } from '@mmllm/backends';
import { checkGradients } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { clip } from '../clip/index';
import { siglip } from '../siglip/index';
import { wrongGradients } from '../testing/parameter-gradients';
import { tinyBatch, tinyLoss, tinyModels } from '../testing/tiny';
import { isKeyBias } from '../testing/zeroing';
import { vit } from '../vit/index';

const vision = { imageSize: 8, patchSize: 4, hiddenSize: 6, numLayers: 2, numHeads: 2 };

beforeAll(() => startBackend({ backend: 'cpu' }));

describe('gradients of the pixels', () => {
  it.each([
    ['clip', clip({ ...vision, features: { layers: [-1, 1], classToken: 'keep' } })],
    ['siglip', siglip(vision)],
    ['vit', vit({ ...vision, pooler: true })],
  ])('%s', async (_, encoder) => {
    encoder.initialize({ seed: 2 });
    const pixels = tf.randomNormal<tf.Rank.R4>([1, 8, 8, 3], 0, 1, 'float32', 4);
    const options = { maxElements: 8, tolerance: 5e-3 };
    await checkGradients((x: tf.Tensor4D) => encoder.encode(tinyBatch(x)).features, [pixels], options);
    await checkGradients((x: tf.Tensor4D) => encoder.pooled(tinyBatch(x)), [pixels], options);
    pixels.dispose();
    encoder.dispose();
  });
});

describe('a contrastive step', () => {
  it.each(['clip', 'siglip'] as const)('of %s has the right gradient for every parameter', async (name) => {
    const model = tinyModels[name](2);
    model.initialize({ seed: 2 });
    const pixels = tf.randomNormal<tf.Rank.R4>([2, 8, 8, 3], 0, 1, 'float32', 4);
    expect(await wrongGradients(model, () => tinyLoss(model, pixels), { skip: isKeyBias })).toEqual([]);
    pixels.dispose();
    model.dispose();
  });
});
