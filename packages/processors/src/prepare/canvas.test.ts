import '@tensorflow/tfjs-backend-cpu';
import { type CanvasPreprocessing, ConfigError, disposeImages } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { golden } from '../testing/golden';
import { noise } from '../testing/noise';
import { channelsLast, clipValues, expectPrepared, picturesOf } from '../testing/reference';
import { tileGrids } from './grid';
import { prepareImages } from './prepare';

const mllama: CanvasPreprocessing = {
  ...clipValues,
  kind: 'canvas',
  tileSize: 56,
  maxTiles: 4,
  resample: 'bilinear',
};

describe('canvas', () => {
  it('gives the tiles of Llama 3.2, of which the missing ones are zero and not valid', async () => {
    const tensors = golden('images-mllama/base');
    await expectPrepared(new Map((await picturesOf('images-mllama/base')).entries()), {
      preprocessing: mllama,
      tolerance: 0,
      expected(i, { images: [{ views, tiles }] }) {
        // The reference numbers the grids of up to four tiles from 1, those of few rows first.
        const grids = tileGrids(1, 4);
        expect(tiles).toEqual(grids[tensors[`out.${i}.aspect_ratio_ids`].data[0] - 1]);
        expect(views.map(({ valid }) => Number(valid ?? true))).toEqual([
          ...tensors[`out.${i}.aspect_ratio_mask`].data,
        ]);
        return channelsLast(tensors[`out.${i}.pixel_values`]);
      },
    });
  });

  it('says the places of tiles', () => {
    const batch = prepareImages([noise(100, 300)], { ...mllama, maxTiles: 3 });
    disposeImages(batch);
    const square = { role: 'tile', height: 56, width: 56 };
    expect(batch.images).toEqual([
      {
        original: { height: 300, width: 100 },
        tiles: { rows: 3, columns: 1 },
        views: [0, 1, 2].map((row) => ({ ...square, tile: { row, column: 0 } })),
      },
    ]);
  });

  it('keeps a line one pixel broad', () => {
    const batch = prepareImages([noise(5000, 1), noise(1, 5000)], mllama);
    disposeImages(batch);
    expect(batch.images.map(({ tiles }) => tiles)).toEqual([
      { rows: 1, columns: 4 },
      { rows: 4, columns: 1 },
    ]);
  });

  it('takes only the canvases that there are', () => {
    const batch = prepareImages([noise(300, 100)], { ...mllama, grids: [{ rows: 2, columns: 2 }] });
    disposeImages(batch);
    expect(batch.images[0].tiles).toEqual({ rows: 2, columns: 2 });
    const grids = [{ rows: 5, columns: 1 }];
    expect(() => prepareImages([noise(4, 4)], { ...mllama, grids })).toThrow(ConfigError);
  });

  it('refuses canvases without tiles', () => {
    expect(() => prepareImages([noise(4, 4)], { ...mllama, maxTiles: 0 })).toThrow(ConfigError);
  });
});
