import '@tensorflow/tfjs-backend-cpu';
import { ConfigError, type DenseImages, disposeImages, type PaddedPreprocessing } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { golden } from '../testing/golden';
import { noise } from '../testing/noise';
import { picturesOf, plusMinusOne } from '../testing/reference';
import { prepareImages } from './prepare';

const aria: PaddedPreprocessing = {
  ...plusMinusOne,
  kind: 'padded',
  patchSize: 14,
  longestEdge: 490,
  minShortEdge: 336,
  resample: 'bicubic',
};
/** The same in small. */
const small: PaddedPreprocessing = { ...aria, patchSize: 4, longestEdge: 16, minShortEdge: 6 };

describe('padded', () => {
  it('covers the patches that the pixel mask of Aria covers', async () => {
    const tensors = golden('images-aria/base');
    const pictures = await picturesOf('images-aria/base');
    const batch = prepareImages(pictures, aria) as DenseImages;
    const before = tf.memory().numTensors;
    for (const i of pictures.keys()) {
      const mask = tensors[`out.${i}.pixel_mask`].data;
      const expected = tf.tidy(() => {
        const grid = tf.reshape(tf.cast(tf.tensor(mask), 'float32'), [35, 14, 35, 14]);
        return tf.reshape(tf.mean(grid, [1, 3]), [35 * 35]).dataSync();
      });
      expect(batch.coverage?.subarray(i * 1225, (i + 1) * 1225)).toEqual(expected);
    }
    expect(tf.memory().numTensors).toBe(before);
    disposeImages(batch);
  });

  it('keeps the picture at the top left, its short edge no less than asked for', async () => {
    const batch = prepareImages([noise(32, 8)], small) as DenseImages;
    expect(batch.images[0].views).toEqual([{ role: 'image', height: 16, width: 16 }]);
    // 16×4 would be the aspect; 16×6 covers a row of patches and half of the next.
    expect([...(batch.coverage ?? [])]).toEqual([1, 0.5, 0, 0].flatMap((value) => Array(4).fill(value)));
    const rows = await tf.tidy(() => tf.min(tf.abs(tf.add(batch.pixels, 1)), [0, 2, 3])).data();
    expect([...rows].slice(6)).toEqual(Array(10).fill(0));
    disposeImages(batch);
  });

  it('cuts into tiles where asked to, each scaled and filled up by itself', () => {
    const splitResolutions = [
      { height: 16, width: 40 },
      { height: 32, width: 32 },
    ];
    const batch = prepareImages([noise(80, 20)], { ...small, splitResolutions }) as DenseImages;
    disposeImages(batch);
    expect(batch.images[0].tiles).toEqual({ rows: 1, columns: 3 });
    expect(batch.images[0].views.map(({ tile }) => tile?.column)).toEqual([0, 1, 2]);
    // The last tile is 8 broad and 16 high.
    const columns = [1, 1, 0, 0];
    expect([...(batch.coverage ?? []).slice(32)]).toEqual(Array(4).fill(columns).flat());
  });

  it('refuses edges that make no sense', () => {
    const refused = (wrong: Partial<PaddedPreprocessing>) =>
      expect(() => prepareImages([noise(4, 4)], { ...small, ...wrong })).toThrow(ConfigError);
    refused({ minShortEdge: 17 });
    refused({ longestEdge: 15.5 });
    refused({ splitResolutions: [] });
  });
});
