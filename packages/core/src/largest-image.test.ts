import { describe, expect, it } from 'vitest';
import type { ImagePreprocessing } from './contracts';
import { largestImage } from './largest-image';

const values = { rescale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1], resample: 'bicubic' } as const;
const roles = (preprocessing: ImagePreprocessing) =>
  largestImage(preprocessing)?.views.map(({ role, width }) => `${role} ${width}`);

describe('largestImage', () => {
  it('has a thumbnail of tiles unless there is one only', () => {
    const tiles = { ...values, kind: 'tiles', tileSize: 8, minTiles: 1 } as const;
    expect(roles({ ...tiles, maxTiles: 2, thumbnail: 'last' })).toEqual(['tile 8', 'tile 8', 'thumbnail 8']);
    expect(roles({ ...tiles, maxTiles: 2, thumbnail: 'first' })).toEqual(['thumbnail 8', 'tile 8', 'tile 8']);
    expect(roles({ ...tiles, maxTiles: 2, thumbnail: 'none' })).toEqual(['tile 8', 'tile 8']);
    expect(roles({ ...tiles, maxTiles: 1, thumbnail: 'last' })).toEqual(['image 8']);
  });

  it('has the thumbnail of AnyRes and of crops always', () => {
    const resolutions = [
      { height: 8, width: 8 },
      { height: 16, width: 8 },
    ];
    expect(roles({ ...values, kind: 'anyres', tileSize: 8, resolutions })).toEqual([
      'thumbnail 8',
      'tile 8',
      'tile 8',
    ]);
    const cropSize = { height: 8, width: 8 };
    const crops = { ...values, kind: 'crops', cropSize, patchSize: 2, overlap: [1, 1] } as const;
    expect(roles({ ...crops, maxCrops: 1 })).toEqual(['thumbnail 8', 'tile 8']);
  });

  it('counts the tiles that a padded picture is split into', () => {
    const padded = { ...values, kind: 'padded', patchSize: 2, longestEdge: 8, minShortEdge: 4 } as const;
    expect(roles(padded)).toEqual(['image 8']);
    const splitResolutions = [{ height: 4, width: 20 }];
    expect(roles({ ...padded, splitResolutions })).toEqual(['tile 8', 'tile 8', 'tile 8']);
  });
});
