import '@tensorflow/tfjs-backend-cpu';
import { ConfigError, type CropsPreprocessing, type DenseImages, disposeImages } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { caseJson, golden } from '../testing/golden';
import { noise } from '../testing/noise';
import { clipValues, expectPrepared, picturesOf } from '../testing/reference';
import { prepareImages } from './prepare';

interface Setting {
  base_image_input_size: [number, number];
  image_patch_size: number;
  overlap_margins: [number, number];
  max_crops: number;
  pictures: number[];
}
const { settings } = caseJson<{ settings: Record<string, Setting> }>('images-molmo/base/case.json');
const tensors = golden('images-molmo/base');

const described = (setting: Setting): CropsPreprocessing => ({
  ...clipValues,
  kind: 'crops',
  cropSize: { height: setting.base_image_input_size[0], width: setting.base_image_input_size[1] },
  patchSize: setting.image_patch_size,
  maxCrops: setting.max_crops,
  overlap: setting.overlap_margins,
});
const four = described(settings.four);

/** The reference's patches, [views, patches, patch · patch · 3], of our pixels; only some of them where it says so. */
function patchesOf({ pixels }: DenseImages, side: number, only?: ArrayLike<number>): tf.Tensor3D {
  const [views, height, width] = pixels.shape;
  return tf.tidy(() => {
    const grid = tf.reshape(pixels, [views, height / side, side, width / side, side * 3]);
    const patches = tf.reshape(tf.transpose(grid, [0, 1, 3, 2, 4]), [views, -1, side * side * 3]);
    return (
      only ? tf.gather(patches, tf.tensor1d([...Array.from(only)], 'int32'), 1) : patches
    ) as tf.Tensor3D;
  });
}

describe.each(Object.entries(settings))('crops of the setting %s', (name, setting) => {
  it('are those of Molmo, the global view first', async () => {
    const pictures = await picturesOf('images-molmo/base');
    await expectPrepared(new Map(setting.pictures.map((i) => [i, pictures[i]])), {
      preprocessing: described(setting),
      // The case allows 5e-4; a filter placed in double precision would be 1e-4 off.
      tolerance: 1e-6,
      values: (batch, i) =>
        patchesOf(batch, setting.image_patch_size, tensors[`out.${name}.${i}.patches`]?.data),
      expected(i, { images: [{ views }], coverage = new Float32Array() }) {
        const { shape, data } = tensors[`out.${name}.${i}.images`];
        expect(views.map(({ role }) => role)).toEqual(['thumbnail', ...Array(shape[0] - 1).fill('tile')]);
        // The reference's masks lie one view late: row i is of view i + 1, and the last row is -1.
        const masks = tensors[`out.${name}.${i}.image_masks`];
        const patches = masks.shape[1];
        const last = masks.data.length - patches;
        expect(coverage.subarray(patches)).toEqual(masks.data.subarray(0, last));
        return { shape, data };
      },
    });
  });
});

describe('crops', () => {
  it('say how much of each patch of the global view is picture', () => {
    const batch = prepareImages([noise(64, 24)], four) as DenseImages;
    disposeImages(batch);
    // 32×12 in 32×32: ten rows above, then a half covered row of patches, two whole ones, and a half one.
    const rows = [0, 0, 0.5, 1, 1, 0.5, 0, 0];
    expect([...(batch.coverage ?? []).slice(0, 64)]).toEqual(rows.flatMap((value) => Array(8).fill(value)));
  });

  it('say the places of tiles in a batch', () => {
    const batch = prepareImages([noise(8, 8), noise(60, 20)], four);
    disposeImages(batch);
    expect(batch.images.map(({ tiles }) => tiles)).toEqual([
      { rows: 1, columns: 1 },
      { rows: 1, columns: 3 },
    ]);
    expect(batch.images[1].views.map(({ tile }) => tile)).toEqual([
      undefined,
      { row: 0, column: 0 },
      { row: 0, column: 1 },
      { row: 0, column: 2 },
    ]);
  });

  it('are a single one where a side is shorter than the margin, however long the other, as in the reference', () => {
    const batch = prepareImages([noise(3000, 1), noise(1, 3000)], four) as DenseImages;
    expect(batch.images.map(({ tiles }) => tiles)).toEqual(Array(2).fill({ rows: 1, columns: 1 }));
    disposeImages(batch);
  });

  it('refuse an overlap that leaves nothing, and crops of broken patches', () => {
    const refused = (wrong: Partial<CropsPreprocessing>) =>
      expect(() => prepareImages([noise(4, 4)], { ...four, ...wrong })).toThrow(ConfigError);
    refused({ overlap: [4, 4] });
    refused({ overlap: [-1, 2] });
    refused({ cropSize: { height: 30, width: 32 } });
  });
});
