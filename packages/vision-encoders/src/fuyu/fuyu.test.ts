import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, type ImageBatch, type PreparedImage, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { fuyu } from './index';

beforeAll(() => startBackend({ backend: 'cpu' }));

function prepared(height: number, width: number): PreparedImage {
  return { views: [{ role: 'image', height, width }], original: { height, width } };
}

describe('fuyu', () => {
  it('has no parameters, and the published preprocessing', () => {
    const encoder = fuyu();
    expect(encoder.countParameters()).toBe(0);
    expect(encoder.featureSize).toBe(2700);
    expect(encoder.preprocessing).toEqual({
      kind: 'patches',
      patchSize: 30,
      maxSize: { height: 1080, width: 1920 },
      resample: 'bilinear',
      padValue: 1,
      rescale: 1 / 255,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    });
    expect(fuyu({ patchSize: 8, maxSize: { height: 64, width: 32 } }).preprocessing).toMatchObject({
      patchSize: 8,
      maxSize: { height: 64, width: 32 },
    });
  });

  it('gives every picture a grid of its own; a partial patch counts', () => {
    const layout = fuyu({ patchSize: 4 }).layout([prepared(8, 12), prepared(5, 4)]);
    expect(layout.map(({ views }) => views)).toEqual([
      [{ role: 'image', start: 0, count: 6, prefix: 0, grid: { frames: 1, rows: 2, columns: 3 } }],
      [{ role: 'image', start: 6, count: 2, prefix: 0, grid: { frames: 1, rows: 2, columns: 1 } }],
    ]);
  });

  it('hands the patches on, as features of the caller’s own', async () => {
    await expectNoLeak(async () => {
      const patches = tf.randomNormal<tf.Rank.R2>([6, 48], 0, 1, 'float32', 1);
      const { features, images } = fuyu({ patchSize: 4 }).encode({
        kind: 'packed',
        images: [prepared(8, 12)],
        patches,
      });
      await assertTensorsClose(features, patches, { tolerance: 0 });
      patches.dispose();
      expect(await features.data()).toHaveLength(6 * 48);
      expect(images).toHaveLength(1);
      features.dispose();
    });
  });

  it('refuses patches of another size or number, and dense pictures', () => {
    const encoder = fuyu({ patchSize: 4 });
    const images = [prepared(8, 12)];
    const packed = (shape: [number, number]): ImageBatch => ({
      kind: 'packed',
      images,
      patches: tf.zeros(shape),
    });
    tf.tidy(() => {
      expect(() => encoder.encode(packed([6, 27]))).toThrow(ShapeError);
      expect(() => encoder.encode(packed([5, 48]))).toThrow(ShapeError);
      expect(() => encoder.encode({ kind: 'dense', images, pixels: tf.zeros([1, 8, 12, 3]) })).toThrow(
        expect.objectContaining({ expected: 'packed patches float32[6, 48]', actual: 'dense [1, 8, 12, 3]' }),
      );
    });
  });

  it('refuses unknown keys and values', () => {
    expect(() => fuyu({ patchSize: 0 })).toThrow(ConfigError);
    expect(() => fuyu({ imageSize: 300 } as Parameters<typeof fuyu>[0])).toThrow(ConfigError);
  });
});
