import '@tensorflow/tfjs-backend-cpu';
import { assertTensorsClose, compareTensors } from '@mmllm/conformance';
import {
  ConfigError,
  type DenseImages,
  disposeImages,
  type ImagePreprocessing,
  type PackedImages,
  type Picture,
  PictureError,
  type PreparedImage,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { decodePicture } from '../pictures/decode';
import { caseFile, caseJson, type GoldenTensor, golden } from '../testing/golden';
import { noise } from '../testing/noise';
import { prepareImages } from './prepare';

const clip = {
  rescale: 1 / 255,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const;
const imageNet = { rescale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;
const plusMinusOne = { rescale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;
const square = { height: 56, width: 56 };
const tiled = {
  ...imageNet,
  kind: 'tiles',
  tileSize: 56,
  minTiles: 1,
  maxTiles: 6,
  resample: 'bicubic',
} as const;

/** The cases whose rule is one of core's kinds, with that rule in its terms. */
const cases: Record<string, ImagePreprocessing> = {
  'images-clip': { ...clip, kind: 'fixed', size: square, fit: 'crop', resample: 'bicubic' },
  'images-llava-pad': {
    ...clip,
    kind: 'fixed',
    size: square,
    fit: 'pad',
    resample: 'bicubic',
    background: [122, 116, 104],
  },
  'images-siglip': {
    ...plusMinusOne,
    kind: 'fixed',
    size: { height: 56, width: 64 },
    fit: 'stretch',
    resample: 'bicubic',
  },
  'images-internvl': { ...tiled, thumbnail: 'last' },
  'images-nvlm': { ...tiled, thumbnail: 'last' },
};
const fuyu: ImagePreprocessing = {
  ...plusMinusOne,
  kind: 'patches',
  patchSize: 10,
  maxSize: { height: 112, width: 112 },
  resample: 'bilinear',
  padValue: 1,
};

async function picturesOf(name: string): Promise<Picture[]> {
  const { images } = caseJson<{ images: string[] }>(`${name}/base/case.json`);
  return Promise.all(images.map((file) => decodePicture(caseFile(`${name}/base/${file}`))));
}

/** [views, 3, height, width] of the reference to our [views, height, width, 3]. */
function channelsLast({ shape, data }: GoldenTensor): tf.Tensor4D {
  const [views, channels, height, width] = shape.slice(-4);
  return tf.tidy(() => tf.transpose(tf.tensor4d(data, [views, channels, height, width]), [0, 2, 3, 1]));
}

describe.each(Object.entries(cases))('%s', (name, preprocessing) => {
  const tensors = golden(`${name}/base`);

  it('gives the very floats of the reference, one picture after the other and all in one batch', async () => {
    const before = tf.memory().numTensors;
    const pictures = await picturesOf(name);
    const expected = pictures.map((_, i) => channelsLast(tensors[`out.${i}.pixel_values`]));
    for (const [i, picture] of pictures.entries()) {
      const batch = prepareImages([picture], preprocessing) as DenseImages;
      await assertTensorsClose(batch.pixels, expected[i], { tolerance: 0, name: `${name} ${i}` });
      disposeImages(batch);
    }
    const batch = prepareImages(pictures, preprocessing) as DenseImages;
    const whole = tf.concat(expected);
    await assertTensorsClose(batch.pixels, whole, { tolerance: 0 });
    tf.dispose([whole, expected]);
    disposeImages(batch);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('would notice a byte that is off by one', async () => {
    const [picture] = await picturesOf(name);
    const data = picture.data.map((value) => Math.min(255, value + 1));
    const batch = prepareImages([{ ...picture, data }], preprocessing) as DenseImages;
    const expected = channelsLast(tensors['out.0.pixel_values']);
    expect((await compareTensors(batch.pixels, expected, { tolerance: 1e-5 })).ok).toBe(false);
    expected.dispose();
    disposeImages(batch);
  });
});

describe('images-nvlm', () => {
  it('gives the tiles of the reference their places, and the thumbnail the last', async () => {
    const tensors = golden('images-nvlm/base');
    const pictures = await picturesOf('images-nvlm');
    const batch = prepareImages(pictures, cases['images-nvlm']);
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
    const pictures = await picturesOf('images-fuyu');
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
    const crop = prepareImages([line], cases['images-clip']) as DenseImages;
    expect(crop.pixels.shape).toEqual([1, 56, 56, 3]);
    const patches = prepareImages([line], fuyu) as PackedImages;
    expect(patches.images[0].views).toEqual([{ role: 'image', height: 10, width: 120 }]);
    disposeImages(crop);
    disposeImages(patches);
    const longer = { data: new Uint8Array(20_000 * 3), width: 20_000, height: 1 };
    expect(() => prepareImages([longer], cases['images-llava-pad'])).toThrow(
      /^prepareImages: .* got 20000×1 padded to 20000×20000/,
    );
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
    expect(() => prepareImages([short], cases['images-siglip'])).toThrow(PictureError);
    expect(() => prepareImages([noise(4, 4)], { ...tiled, minTiles: 7, thumbnail: 'none' })).toThrow(
      ConfigError,
    );
    const unknown = { kind: 'slices' } as unknown as ImagePreprocessing;
    expect(() => prepareImages([], unknown)).toThrow("preprocessing.kind: expected 'fixed'");
  });
});
