import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import { disposeImages, type PackedImages, type Picture } from '@mmllm/core';
import { prepareImages } from '@mmllm/processors';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { pixtral } from '../pixtral/index';
import { qwen2Vl } from '../qwen2-vl/index';
import { seesOthers } from '../testing/packed';
import { wrongFeatureGradients } from '../testing/parameter-gradients';

const tower = { hiddenSize: 8, numLayers: 2, numHeads: 2, patchSize: 2, initializerRange: 0.4 };

/** One tower of each kind; their pictures have sides of four pixels or multiples. */
const encoders = {
  'qwen2-vl': () => qwen2Vl({ ...tower, minPixels: 16, maxPixels: 128 }),
  pixtral: () => pixtral({ ...tower, mergeSize: 2, imageSize: 12 }),
};
const names = Object.keys(encoders) as (keyof typeof encoders)[];

/** A wide picture and a tall one. */
const pictures: Picture[] = [
  { width: 40, height: 18 },
  { width: 10, height: 30 },
].map((size) => ({
  ...size,
  data: Uint8Array.from({ length: size.width * size.height * 3 }, (_, i) => (i * 37) % 251),
}));

beforeAll(() => startBackend({ backend: 'cpu' }));

describe('packed pictures', () => {
  it.each(names)('of any size are prepared by what %s says, and encoded, each for itself', async (name) => {
    await expectNoLeak(async () => {
      const encoder = encoders[name]();
      encoder.initialize({ seed: 2 });
      const batch = prepareImages(pictures, encoder.preprocessing) as PackedImages;
      const { features, images } = encoder.encode(batch);
      expect(images).toEqual(encoder.layout(batch.images));
      const [wide, tall] = images.map(({ views: [{ grid }] }) => grid!);
      expect(wide.columns).toBeGreaterThan(wide.rows);
      expect(tall.rows).toBeGreaterThan(tall.columns);
      const rows = wide.rows * wide.columns + tall.rows * tall.columns;
      expect(features.shape).toEqual([rows, encoder.featureSize]);
      expect((await features.data()).every(Number.isFinite)).toBe(true);
      expect(await seesOthers(encoder, batch)).toEqual([]);
      features.dispose();
      disposeImages(batch);
      encoder.dispose();
    });
  });

  it.each(names)('have the right gradient in %s, and so has every parameter', async (name) => {
    const encoder = encoders[name]();
    encoder.initialize({ seed: 2 });
    const images = [8, 4].map((width) => ({
      views: [{ role: 'image', height: 4, width } as const],
      original: { height: 4, width },
    }));
    const shape: [number, number] = [12, encoder.patchEmbedding.inputSize];
    const patches = tf.randomNormal<tf.Rank.R2>(shape, 0, 1, 'float32', 3);
    const encode = (x: tf.Tensor2D) => encoder.encode({ kind: 'packed', images, patches: x }).features;
    expect(await wrongFeatureGradients(encoder, encode, patches)).toEqual([]);
    patches.dispose();
    encoder.dispose();
  });
});
