import '@tensorflow/tfjs-backend-cpu';
import {
  ConfigError,
  disposeImages,
  type PackedImages,
  type PackedPreprocessing,
  PictureError,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { type GoldenTensor, golden } from '../testing/golden';
import { noise } from '../testing/noise';
import { clipValues, expectPrepared, picturesOf } from '../testing/reference';
import { prepareImages } from './prepare';

const packed = { ...clipValues, kind: 'packed', resample: 'bicubic' } as const;
const qwen: PackedPreprocessing = {
  ...packed,
  patchSize: 7,
  multiple: 14,
  framesPerPatch: 2,
  size: { rule: 'pixels', min: 784, max: 3136 },
};
const pixtral: PackedPreprocessing = {
  ...packed,
  patchSize: 8,
  multiple: 8,
  size: { rule: 'longestEdge', longestEdge: 56 },
};
const emu3: PackedPreprocessing = { ...pixtral, size: { rule: 'pixels', min: 1024, max: 3136 } };

/** [1, 3, height, width] of the reference as patches, row by row, (row, column, channel). */
function patchesOf({ shape, data }: GoldenTensor, side: number): tf.Tensor2D {
  const [height, width] = shape.slice(-2);
  return tf.tidy(() => {
    const pixels = tf.tensor(data, [3, height / side, side, width / side, side]);
    return tf.reshape(tf.transpose(pixels, [1, 3, 2, 4, 0]), [-1, side * side * 3]) as tf.Tensor2D;
  });
}

/** Rows in the order of 2×2 blocks, (channel, frame, row, column), to rows one below the other, channels last. */
function fromBlocks({ data }: GoldenTensor, rows: number, columns: number): tf.Tensor2D {
  return tf.tidy(() => {
    const order = tf.reshape(
      tf.transpose(tf.tensor(data, [rows / 2, columns / 2, 2, 2, 294]), [0, 2, 1, 3, 4]),
      [rows * columns, 3, 2, 7, 7],
    );
    return tf.reshape(tf.transpose(order, [0, 2, 3, 4, 1]), [rows * columns, 294]) as tf.Tensor2D;
  });
}

const numbered = async (name: string) => new Map((await picturesOf(name)).entries());

describe('packed', () => {
  it('gives the patches of Qwen2-VL, each for two frames', async () => {
    const tensors = golden('images-qwen2-vl/base');
    await expectPrepared<PackedImages>(await numbered('images-qwen2-vl/base'), {
      preprocessing: qwen,
      tolerance: 0,
      expected(i, { images }) {
        const [, rows, columns] = tensors[`out.${i}.image_grid_thw`].data;
        expect(images[0].views).toEqual([{ role: 'image', height: rows * 7, width: columns * 7 }]);
        return fromBlocks(tensors[`out.${i}.pixel_values`], rows, columns);
      },
    });
  });

  it.each([
    ['Pixtral', 'images-pixtral/base', pixtral],
    ['Emu3', 'images-emu3/base', emu3],
  ])('gives the patches of %s', async (_, name, preprocessing) => {
    const tensors = golden(name);
    await expectPrepared<PackedImages>(await numbered(name), {
      preprocessing,
      tolerance: 0,
      expected(i, { images }) {
        const [height, width] = tensors[`out.${i}.image_sizes`].data;
        expect(images[0].views).toEqual([{ role: 'image', height, width }]);
        return patchesOf(tensors[`out.${i}.pixel_values`], 8);
      },
    });
  });

  it('packs pictures of different size one after the other', async () => {
    const pictures = await picturesOf('images-pixtral/base');
    const whole = prepareImages(pictures, pixtral) as PackedImages;
    const single = pictures.map((picture) => prepareImages([picture], pixtral) as PackedImages);
    const expected = tf.concat(single.map(({ patches }) => patches));
    expect(await whole.patches.data()).toEqual(await expected.data());
    expect(whole.images).toEqual(single.flatMap(({ images }) => images));
    tf.dispose(expected);
    [whole, ...single].forEach(disposeImages);
  });

  it('keeps extreme pictures within bounds', () => {
    const sizeOf = (width: number, height: number, preprocessing: PackedPreprocessing) => {
      const batch = prepareImages([noise(width, height)], preprocessing);
      disposeImages(batch);
      return [batch.images[0].views[0].width, batch.images[0].views[0].height];
    };
    expect(sizeOf(1, 1, qwen)).toEqual([28, 28]);
    expect(sizeOf(200, 1, qwen)).toEqual([406, 14]);
    expect(sizeOf(2000, 20, qwen)).toEqual([560, 14]);
    expect(sizeOf(5000, 1, pixtral)).toEqual([56, 8]);
    // 3.5 rounds to 4 and 2.5 to 2, as in Python.
    expect(sizeOf(49, 35, qwen)).toEqual([56, 28]);
    expect(() => prepareImages([noise(201, 1)], qwen)).toThrow(PictureError);
  });

  it('refuses sizes that make no sense', () => {
    const refused = (wrong: Partial<PackedPreprocessing>) =>
      expect(() => prepareImages([noise(4, 4)], { ...qwen, ...wrong })).toThrow(ConfigError);
    refused({ multiple: 10 });
    refused({ framesPerPatch: 0 });
    refused({ size: { rule: 'pixels', min: 9, max: 8 } });
    refused({ size: { rule: 'longestEdge', longestEdge: 0.5 } });
  });
});
