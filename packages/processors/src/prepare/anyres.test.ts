import '@tensorflow/tfjs-backend-cpu';
import { type AnyResPreprocessing, ConfigError, disposeImages } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { golden } from '../testing/golden';
import { noise } from '../testing/noise';
import { channelsLast, clipValues, expectPrepared, picturesOf } from '../testing/reference';
import { prepareImages } from './prepare';

const size = (height: number, width: number) => ({ height, width });
const anyRes: AnyResPreprocessing = {
  ...clipValues,
  kind: 'anyres',
  tileSize: 56,
  resolutions: [size(56, 112), size(112, 56), size(112, 112), size(168, 56), size(56, 168)],
  resample: 'bicubic',
};

describe('anyres', () => {
  it('gives the thumbnail and the tiles of LLaVA-NeXT', async () => {
    const tensors = golden('images-llava-next/base');
    await expectPrepared(new Map((await picturesOf('images-llava-next/base')).entries()), {
      preprocessing: anyRes,
      tolerance: 0,
      expected(i, { images: [{ original }] }) {
        expect([original.height, original.width]).toEqual([...tensors[`out.${i}.image_sizes`].data]);
        return channelsLast(tensors[`out.${i}.pixel_values`]);
      },
    });
  });

  it('has a thumbnail also of a single tile', () => {
    const batch = prepareImages([noise(30, 30)], { ...anyRes, resolutions: [size(56, 56)] });
    disposeImages(batch);
    const square = { height: 56, width: 56 };
    expect(batch.images[0]).toEqual({
      original: { height: 30, width: 30 },
      tiles: { rows: 1, columns: 1 },
      views: [
        { role: 'thumbnail', ...square },
        { role: 'tile', ...square, tile: { row: 0, column: 0 } },
      ],
    });
  });

  it('refuses resolutions that are not made of whole tiles', () => {
    const prepare = (resolutions: AnyResPreprocessing['resolutions']) => () =>
      prepareImages([noise(4, 4)], { ...anyRes, resolutions });
    expect(prepare([])).toThrow(ConfigError);
    expect(prepare([size(56, 100)])).toThrow('preprocessing.resolutions: expected multiples of 56');
  });
});
