import '@tensorflow/tfjs-backend-cpu';
import { assertTensorsClose } from '@mmllm/conformance';
import {
  ConfigError,
  type DenseImages,
  disposeImages,
  type FixedPreprocessing,
  type ImagePreprocessing,
  type PackedImages,
  type Picture,
  PictureError,
  type PreparedImage,
  type TiledPreprocessing,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { resize } from '../resize/resize';
import { type GoldenTensor, golden } from '../testing/golden';
import { noise } from '../testing/noise';
import {
  channelsLast,
  clipValues,
  expectPrepared,
  imageNetValues,
  picturesOf,
  plusMinusOne,
} from '../testing/reference';
import { prepareImages } from './prepare';

const square = { height: 56, width: 56 };
const tiled = {
  ...imageNetValues,
  kind: 'tiles',
  tileSize: 56,
  minTiles: 1,
  maxTiles: 6,
  resample: 'bicubic',
} as const;
const splitting = { ...tiled, ...clipValues, fit: 'pad', thumbnail: 'last' } as const;
const fixed = { ...clipValues, kind: 'fixed', size: square, resample: 'bicubic' } as const;
const grey = [122, 116, 104] as const;

/** The cases whose rule is `fixed` or `tiles`, with that rule in our terms. */
const cases: Record<string, FixedPreprocessing | TiledPreprocessing> = {
  'images-clip/base': { ...fixed, fit: 'crop' },
  'images-llava-pad/base': { ...fixed, fit: 'pad', background: grey },
  'images-janus/base': { ...fixed, fit: 'letterbox', background: grey, minShortEdge: 8 },
  'images-siglip/base': { ...fixed, ...plusMinusOne, size: { height: 56, width: 64 }, fit: 'stretch' },
  'images-vit/base': { ...fixed, ...plusMinusOne, fit: 'stretch', resample: 'bilinear' },
  'images-internvl/base': { ...tiled, thumbnail: 'last' },
  'images-nvlm/base': { ...tiled, thumbnail: 'last' },
  'images-mm15/base': { ...splitting, tileSize: 24, minTiles: 4, maxTiles: 9 },
  'images-mm15/wide-range': { ...splitting, tileSize: 64, maxTiles: 16 },
};
const clip = cases['images-clip/base'];
const fuyu: ImagePreprocessing = {
  ...plusMinusOne,
  kind: 'patches',
  patchSize: 10,
  maxSize: { height: 112, width: 112 },
  resample: 'bilinear',
  padValue: 1,
};

/** Bits where transformers rescales by a product; MM1.5's reference divides by 255. */
const toleranceOf = (name: string) => (name.startsWith('images-mm15') ? 1e-6 : 0);

describe.each(Object.entries(cases))('%s', (name, preprocessing) => {
  const tensors = golden(name);

  it('gives the very floats of the reference, one picture after the other', async () => {
    await expectPrepared(new Map((await picturesOf(name)).entries()), {
      preprocessing,
      tolerance: toleranceOf(name),
      expected: (i) => channelsLast(tensors[`out.${i}.pixel_values`]),
    });
  });

  it('gives the same in one batch', async () => {
    const pictures = await picturesOf(name);
    const before = tf.memory().numTensors;
    const batch = prepareImages(pictures, preprocessing) as DenseImages;
    const expected = tf.tidy(() =>
      tf.concat(pictures.map((_, i) => channelsLast(tensors[`out.${i}.pixel_values`]))),
    );
    await assertTensorsClose(batch.pixels, expected, { tolerance: toleranceOf(name) });
    expected.dispose();
    disposeImages(batch);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('images-mm15', () => {
  it.each(['images-mm15/base', 'images-mm15/wide-range'])('chooses the grids of %s', async (name) => {
    const tensors = golden(name);
    const batch = prepareImages(await picturesOf(name), cases[name]);
    disposeImages(batch);
    batch.images.forEach((image, i) => {
      const [rows, columns] = tensors[`out.${i}.grid`].data;
      expect(image.tiles).toEqual({ rows, columns });
    });
  });
});

describe('images-nvlm', () => {
  it('gives the tiles of the reference their places, and the thumbnail the last', async () => {
    const tensors = golden('images-nvlm/base');
    const pictures = await picturesOf('images-nvlm/base');
    const batch = prepareImages(pictures, cases['images-nvlm/base']);
    batch.images.forEach((image, i) => {
      const [columns, rows] = tensors[`out.${i}.grid`].data;
      expect(image.tiles).toEqual({ rows, columns });
      const tags = image.views.map(({ tile }) => (tile ? tile.row * columns + tile.column + 1 : 0));
      expect(tags).toEqual([...tensors[`out.${i}.tags`].data]);
    });
    disposeImages(batch);
  });
});

describe('images-fuyu', () => {
  const tensors = golden('images-fuyu/base');

  /** The patches cut from the reference's canvas; what lies beyond it is padding, as the canvas itself mostly is. */
  function expectedPatches(canvas: GoldenTensor, { views: [{ height, width }] }: PreparedImage): tf.Tensor2D {
    return tf.tidy(() => {
      const pixels = tf.transpose(tf.tensor3d(canvas.data, [3, 112, 112]), [1, 2, 0]);
      const filled = tf.pad3d(
        pixels as tf.Tensor3D,
        [
          [0, 8],
          [0, 8],
          [0, 0],
        ],
        Math.fround(1 / 255) * 2 - 1,
      );
      const part = tf.slice(filled, [0, 0, 0], [height, width, 3]);
      const grid = tf.reshape(part, [height / 10, 10, width / 10, 10, 3]);
      return tf.reshape(tf.transpose(grid, [0, 2, 1, 3, 4]), [(height * width) / 100, 300]) as tf.Tensor2D;
    });
  }

  it('gives the patches of the reference, packed', async () => {
    const pictures = await picturesOf('images-fuyu/base');
    const before = tf.memory().numTensors;
    const batch = prepareImages(pictures, fuyu) as PackedImages;
    expect(batch.images.map(({ views }) => views)).toEqual([
      [{ role: 'image', height: 60, width: 90 }],
      [{ role: 'image', height: 70, width: 40 }],
      [{ role: 'image', height: 70, width: 70 }],
      [{ role: 'image', height: 100, width: 40 }],
      [{ role: 'image', height: 50, width: 120 }],
    ]);
    const expected = tf.tidy(() =>
      tf.concat(batch.images.map((image, i) => expectedPatches(tensors[`out.${i}.images`], image))),
    );
    await assertTensorsClose(batch.patches, expected, { tolerance: 0 });
    expected.dispose();
    disposeImages(batch);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('prepareImages', () => {
  it('sets the thumbnail first, or leaves it out', () => {
    const picture = noise(100, 50);
    const roles = (thumbnail: 'first' | 'last' | 'none') => {
      const batch = prepareImages([picture], { ...tiled, tileSize: 8, thumbnail });
      disposeImages(batch);
      return batch.images[0].views.map((view) => view.role);
    };
    expect(roles('first')).toEqual(['thumbnail', 'tile', 'tile']);
    expect(roles('last')).toEqual(['tile', 'tile', 'thumbnail']);
    expect(roles('none')).toEqual(['tile', 'tile']);
  });

  it('makes one view of a picture of one tile', () => {
    const batch = prepareImages([noise(40, 40)], { ...tiled, thumbnail: 'first' });
    expect(batch.images).toEqual([
      {
        views: [{ role: 'image', height: 56, width: 56 }],
        original: { height: 40, width: 40 },
        tiles: { rows: 1, columns: 1 },
      },
    ]);
    disposeImages(batch);
  });

  it('keeps an extreme aspect within bounds', () => {
    const line = noise(5000, 1);
    const crop = prepareImages([line], clip) as DenseImages;
    expect(crop.pixels.shape).toEqual([1, 56, 56, 3]);
    const patches = prepareImages([line], fuyu) as PackedImages;
    expect(patches.images[0].views).toEqual([{ role: 'image', height: 10, width: 120 }]);
    disposeImages(crop);
    disposeImages(patches);
    const letterbox = prepareImages([line], cases['images-janus/base']) as DenseImages;
    expect(letterbox.pixels.shape).toEqual([1, 56, 56, 3]);
    disposeImages(letterbox);
    const longer = { data: new Uint8Array(20_000 * 3), width: 20_000, height: 1 };
    expect(() => prepareImages([longer], cases['images-llava-pad/base'])).toThrow(
      /^prepareImages: .* got 20000×1 padded to 20000×20000/,
    );
  });

  it('cuts a small part of a larger edge, or lays a smaller one in the middle of black', async () => {
    const size = { height: 3, width: 5 };
    const values = async (shortestEdge: number) => {
      const rule = {
        ...fixed,
        rescale: 1,
        mean: [0, 0, 0],
        std: [1, 1, 1],
        fit: 'crop',
        size,
        shortestEdge,
      } as const;
      const batch = prepareImages([noise(4, 4)], rule) as DenseImages;
      const greens = await tf
        .tidy(() => tf.reshape(tf.slice(batch.pixels, [0, 0, 0, 1], [1, 3, 5, 1]), [-1]))
        .data();
      disposeImages(batch);
      return [...greens];
    };
    const green = (row: number, column: number) => noise(4, 4).data[(row * 4 + column) * 3 + 1];
    // 4×4 as it is: the odd row falls away at the bottom, the odd column is black at the left.
    const rows = [0, 1, 2].map((row) => [0, ...[0, 1, 2, 3].map((column) => green(row, column))]);
    expect(await values(4)).toEqual(rows.flat());
    const middle = resize(noise(4, 4), { height: 8, width: 8 }, 'bicubic', { top: 2, left: 1, ...size });
    expect(await values(8)).toEqual([...middle.data].filter((_, i) => i % 3 === 1));
  });

  it('leaves a custom rule to the encoder', () => {
    const prepare = (pictures: readonly Picture[]): DenseImages => ({
      kind: 'dense',
      images: [],
      pixels: tf.zeros([pictures.length, 1, 1, 3]),
    });
    const batch = prepareImages([noise(2, 2)], { kind: 'custom', prepare }) as DenseImages;
    expect(batch.pixels.shape).toEqual([1, 1, 1, 3]);
    disposeImages(batch);
  });

  it('refuses pictures and rules that make no sense', () => {
    const short = { ...noise(4, 4), width: 5 };
    expect(() => prepareImages([short], cases['images-siglip/base'])).toThrow(PictureError);
    expect(() => prepareImages([noise(4, 4)], { ...tiled, minTiles: 7, thumbnail: 'none' })).toThrow(
      ConfigError,
    );
    const wide = { ...fixed, fit: 'letterbox', minShortEdge: 57 } as const;
    expect(() => prepareImages([noise(4, 4)], wide)).toThrow(
      'preprocessing.minShortEdge: expected at most 56',
    );
    const unknown = { kind: 'slices' } as unknown as ImagePreprocessing;
    expect(() => prepareImages([], unknown)).toThrow("preprocessing.kind: expected 'fixed'");
  });
});
