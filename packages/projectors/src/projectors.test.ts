import { startBackend } from '@mmllm/backends';
import { assertTensorsClose } from '@mmllm/conformance';
import { type ImageTokens, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { unnoticed } from '../../vision-encoders/src/testing/zeroing';
import { picture, pictures, randomRows, tiny, tinyProjectors } from './testing/tiny';

const all = Object.keys(tinyProjectors);
const onEveryToken = ['linear', 'mlp'];
const onGrids = all.filter((name) => !onEveryToken.includes(name) && !/esampler/.test(name));
const onViews = all.filter((name) => !onEveryToken.includes(name));

beforeAll(() => startBackend({ backend: 'wasm' }));

/** The grids that come out. */
const grids = (images: readonly ImageTokens[]) =>
  images.flatMap(({ views }) => views.map(({ grid }) => grid && [grid.frames, grid.rows, grid.columns]));

describe('layout', () => {
  it.each([
    ['pixelShuffleMlp', [1, 2, 3]],
    ['patchMerger', [1, 2, 3]],
    ['attentionPooling', [1, 2, 3]],
    ['averagePooling', [1, 2, 3]],
    ['pooledMlp of means', [1, 2, 3]],
    ['pooledMlp of convolutions', [1, 2, 4]],
    ['cAbstractor', [1, 2, 2]],
    ['cAbstractor with all parts', undefined],
    ['perceiverResampler', undefined],
  ])('of %s states the grid that comes out of 4×6', (name, grid) => {
    const before = tf.memory().numTensors;
    const projector = tinyProjectors[name].build({ inputSize: 6, outputSize: 5 });
    const [image, second] = projector.layout([...pictures([4, 6]), picture([[4, 6]], {}, 24)]);
    expect(grids([image])).toEqual([grid]);
    expect(image.views[0]).toMatchObject({ start: 0, prefix: 0, role: 'image' });
    expect(second.views[0].start).toBe(image.views[0].count);
    if (grid) expect(image.views[0].count).toBe(grid[0] * grid[1] * grid[2]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    ['pooledMlp of means', [1, 2, 3]],
    ['averagePooling', [1, 2, 3]],
    ['attentionPooling', [1, 3, 4]],
  ])('of %s takes 5×7', (name, grid) => {
    expect(grids(tiny(name).layout(pictures([5, 7])))).toEqual([grid]);
  });

  it.each(['pixelShuffleMlp', 'patchMerger'])('of %s refuses odd sides, by name', (name) => {
    const projector = tiny(name);
    for (const grid of [
      [5, 6],
      [4, 3],
      [1, 2],
    ] as const) {
      expect(() => projector.layout(pictures(grid))).toThrow(
        expect.objectContaining({
          name: 'ShapeError',
          component: `projector '${projector.name}'`,
          expected: 'a grid of whole windows of 2×2 tokens',
          actual: `one of ${grid.join('×')}`,
        }),
      );
    }
  });

  it.each(onGrids)('of %s refuses tokens without a grid, or in another', (name) => {
    const projector = tiny(name);
    const [{ views }] = pictures([4, 4]);
    const without = [{ views: [{ ...views[0], grid: undefined }] }];
    const wrong = [{ views: [{ ...views[0], count: 17 }] }];
    expect(() => projector.layout(without)).toThrow(ShapeError);
    expect(() => projector.layout(wrong)).toThrow(ShapeError);
  });

  it('keeps what pictures and views are besides', () => {
    const [{ views }] = pictures([2, 4]);
    const image = {
      views: [{ ...views[0], tile: { row: 1, column: 0 }, valid: false }],
      tiles: { rows: 2, columns: 1 },
    };
    for (const name of onViews) {
      const [out] = tiny(name).layout([image]);
      expect(out).toMatchObject({
        tiles: image.tiles,
        views: [{ tile: { row: 1, column: 0 }, valid: false }],
      });
    }
  });
});

describe.each(onViews)('%s', (name) => {
  it('shows any parameter that is left out', async () => {
    const projector = tiny(name);
    const images = pictures([2, 4], [2, 2]);
    const features = randomRows(12);
    const usual = projector.project({ features, images }).features;
    const before = await usual.data();
    const shows = async () => {
      const { features: now } = projector.project({ features, images });
      const values = await now.data();
      now.dispose();
      return values.some((value, i) => Math.abs(value - before[i]) > 1e-4);
    };
    expect((await unnoticed(projector, shows)).filter((path) => !path.endsWith('kProj.bias'))).toEqual([]);
    tf.dispose([features, usual]);
    projector.dispose();
  });

  it('refuses features of another width, other rows, another mask, and views that are not in order', () => {
    const projector = tiny(name);
    const images = pictures([2, 4], [2, 2]);
    const [wide, short, right] = [randomRows(12, 7), randomRows(11), randomRows(12)];
    const component = `projector '${projector.name}'`;
    const refused = expect.objectContaining({ name: 'ShapeError', component });
    expect(() => projector.project({ features: wide, images })).toThrow(refused);
    expect(() => projector.project({ features: short, images })).toThrow(refused);
    expect(() => projector.project({ features: right, images, mask: new Uint8Array(11) })).toThrow(refused);
    expect(() => projector.project({ features: right, images: [...images].reverse() })).toThrow(refused);
    tf.dispose([wide, short, right]);
    projector.dispose();
  });
});

describe.each(onGrids)('%s', (name) => {
  it('leaves tokens in front of the grid out', async () => {
    const projector = tiny(name);
    const features = randomRows(10);
    const behind = tf.tidy(() => tf.slice2d(features, [2, 0], [8, -1]));
    const a = projector.project({ features, images: [picture([[2, 4]], { prefix: 2 })] });
    const b = projector.project({ features: behind, images: pictures([2, 4]) });
    expect(a.images).toEqual(b.images);
    await assertTensorsClose(a.features, b.features, { tolerance: 1e-5 });
    tf.dispose([features, behind, a.features, b.features]);
    projector.dispose();
  });

  it('takes the frames of a video each by itself', async () => {
    const projector = tiny(name);
    const features = randomRows(16);
    const video = projector.project({ features, images: [picture([[2, 4]], { frames: 2 })] });
    const [{ views }] = video.images;
    if (views[0].grid) {
      expect(views[0].grid.frames).toBe(2);
      const frames = projector.project({ features, images: pictures([2, 4], [2, 4]) });
      await assertTensorsClose(video.features, frames.features, { tolerance: 1e-5 });
      frames.features.dispose();
    }
    tf.dispose([features, video.features]);
    projector.dispose();
  });
});
