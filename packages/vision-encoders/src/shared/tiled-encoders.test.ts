import { startBackend } from '@mmllm/backends';
import { expectNoLeak } from '@mmllm/conformance';
import { disposeImages, type ImageEncoder, type Module, type Picture } from '@mmllm/core';
import { prepareImages } from '@mmllm/processors';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { aria } from '../aria/index';
import { mllama } from '../mllama/index';
import { molmo } from '../molmo/index';

const tower = { imageSize: 16, patchSize: 4, hiddenSize: 6, numLayers: 2, numHeads: 2 };

/** Grey pictures, wide and tall. */
const pictures: Picture[] = [
  { width: 40, height: 18 },
  { width: 10, height: 30 },
].map((size) => ({ ...size, data: new Uint8Array(size.width * size.height * 3).fill(100) }));

beforeAll(() => startBackend({ backend: 'cpu' }));

describe('pictures of any size', () => {
  it.each<[string, () => Module & ImageEncoder, number[]]>([
    ['mllama', () => mllama({ ...tower, numGlobalLayers: 1, intermediateLayers: [-1] }), [4, 4]],
    ['aria', () => aria({ ...tower, minShortEdge: 8 }), [1, 1]],
    ['molmo', () => molmo({ ...tower, features: { layers: [-1] }, maxCrops: 4 }), [4, 3]],
  ])('are prepared by what %s says, and encoded', async (_, build, views) => {
    await expectNoLeak(async () => {
      const encoder = build();
      encoder.initialize();
      const batch = prepareImages(pictures, encoder.preprocessing);
      const { features, images, mask } = encoder.encode(batch);
      expect(images).toEqual(encoder.layout(batch.images));
      expect(images.map((image) => image.views.length)).toEqual(views);
      const rows = images.flatMap((image) => image.views).reduce((sum, { count }) => sum + count, 0);
      expect(features.shape).toEqual([rows, encoder.featureSize]);
      if (mask) expect([...new Set(mask)].sort()).toEqual([0, 1]);
      expect((await features.data()).every(Number.isFinite)).toBe(true);
      tf.dispose(features);
      disposeImages(batch);
      encoder.dispose();
    });
  });
});
