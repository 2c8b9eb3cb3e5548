import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, type DenseImages, type PreparedImage, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClipConfig, clip } from '../clip/index';

const tiny = { imageSize: 8, patchSize: 4, hiddenSize: 6, numLayers: 3, numHeads: 2 };
const picture: PreparedImage = {
  views: [{ role: 'image', height: 8, width: 8 }],
  original: { height: 8, width: 8 },
};

function batchOf(...images: PreparedImage[]): DenseImages {
  const views = images.reduce((sum, image) => sum + image.views.length, 0);
  return { kind: 'dense', images, pixels: tf.randomNormal([views, 8, 8, 3], 0, 1, 'float32', 1) };
}

function built(config: Partial<ClipConfig> = {}) {
  const encoder = clip({ ...tiny, ...config });
  encoder.initialize({ seed: 3 });
  return encoder;
}

beforeAll(() => startBackend({ backend: 'cpu' }));
afterEach(() => vi.restoreAllMocks());

describe('features', () => {
  /** Features of the configuration, beside the same cut out of all hidden states. */
  async function check(
    features: NonNullable<ClipConfig['features']>,
    expected: (states: tf.Tensor3D[], encoder: ReturnType<typeof clip>) => tf.Tensor,
  ) {
    await expectNoLeak(async () => {
      const encoder = built({ features });
      const batch = batchOf(picture, picture);
      const encoded = encoder.encode(batch);
      const wanted = tf.tidy(() => {
        const rows = expected(encoder.hiddenStates(batch), encoder);
        return tf.reshape(rows, [-1, rows.shape[2] as number]);
      });
      expect(encoded.features.shape[1]).toBe(encoder.featureSize);
      await assertTensorsClose(encoded.features, wanted, { tolerance: 1e-6 });
      tf.dispose([encoded.features, wanted, batch.pixels]);
      encoder.dispose();
    });
  }
  const patches = (state: tf.Tensor3D) => tf.slice3d(state, [0, 1, 0], [-1, -1, -1]);

  it('come from the layer that is named, from either end', async () => {
    await check({ layers: [0] }, (states) => patches(states[0]));
    await check({ layers: [-1] }, (states) => patches(states[3]));
    await check({ layers: [2] }, (states) => patches(states[2]));
    await check({ layers: [-4] }, (states) => patches(states[0]));
  });

  it('of several layers are joined along the channels, in the order asked for', async () => {
    await check({ layers: [3, 1] }, (states) => tf.concat([patches(states[3]), patches(states[1])], 2));
  });

  it('are normalised each, if asked for', async () => {
    await check({ layers: [1, -1], norm: true }, (states, { postNorm }) =>
      tf.concat(
        [states[1], states[3]].map((state) => postNorm!.forward(patches(state))),
        2,
      ),
    );
  });

  it('keep the class token in front of each view, if asked for', async () => {
    await check({ layers: [1], classToken: 'keep' }, (states) => states[1]);
    const encoder = clip({ ...tiny, features: { classToken: 'keep' } });
    const grid = { frames: 1, rows: 2, columns: 2 };
    expect(encoder.layout([picture, picture]).flatMap(({ views }) => views)).toEqual([
      { role: 'image', start: 0, count: 5, prefix: 1, grid },
      { role: 'image', start: 5, count: 5, prefix: 1, grid },
    ]);
  });
});

describe('layout', () => {
  const tile = (column: number) => ({
    role: 'tile' as const,
    height: 8,
    width: 8,
    tile: { row: 0, column },
  });
  const tiled: PreparedImage = {
    views: [tile(0), tile(1), { role: 'thumbnail', height: 8, width: 8 }],
    original: { height: 80, width: 160 },
    tiles: { rows: 1, columns: 2 },
  };

  it('follows the views of tiled pictures, and equals what encode says', () => {
    const encoder = built({ tiling: { maxTiles: 4 } });
    const batch = batchOf(picture, tiled);
    const { features, images } = encoder.encode(batch);
    expect(images).toEqual(encoder.layout([picture, tiled]));
    expect(features.shape).toEqual([16, 6]);
    const grid = { frames: 1, rows: 2, columns: 2 };
    expect(images[1]).toEqual({
      original: tiled.original,
      tiles: { rows: 1, columns: 2 },
      views: [
        { role: 'tile', start: 4, count: 4, prefix: 0, grid, tile: { row: 0, column: 0 } },
        { role: 'tile', start: 8, count: 4, prefix: 0, grid, tile: { row: 0, column: 1 } },
        { role: 'thumbnail', start: 12, count: 4, prefix: 0, grid },
      ],
    });
    tf.dispose([features, batch.pixels]);
    encoder.dispose();
  });

  it('runs no kernel and needs no weights', () => {
    const kernel = vi.spyOn(tf.engine(), 'runKernel');
    clip(tiny).layout([picture, tiled]);
    expect(kernel).not.toHaveBeenCalled();
  });
});

describe('bad input', () => {
  it.each([
    ['a layer beyond the last', { features: { layers: [4] } }, 'clip.features.layers'],
    ['a layer before the first', { features: { layers: [-5] } }, 'clip.features.layers'],
    ['no layer', { features: { layers: [] } }, 'clip.features.layers'],
    ['a patch larger than the picture', { patchSize: 9 }, 'clip.patchSize'],
    ['more tiles at least than at most', { tiling: { minTiles: 3, maxTiles: 2 } }, 'clip.tiling.minTiles'],
    [
      'tiles that are not square',
      { inputSize: { height: 8, width: 12 }, tiling: { maxTiles: 2 } },
      'clip.inputSize',
    ],
    ['an unknown activation', { activation: 'gelu2' }, 'clip.activation'],
    ['a key that nobody knows', { depth: 3 }, 'clip'],
    ['heads that do not divide the width', { numHeads: 4 }, 'attention'],
  ])('%s is a ConfigError', (_, change, component) => {
    const build = () => clip({ ...tiny, ...change } as ClipConfig);
    expect(build).toThrow(ConfigError);
    expect(build).toThrow(expect.objectContaining({ component }));
  });

  it('pictures of another size are a ShapeError, before any kernel', () => {
    const encoder = built();
    const pixels = tf.zeros<tf.Rank.R4>([1, 8, 12, 3]);
    const wide: PreparedImage = { ...picture, views: [{ role: 'image', height: 8, width: 12 }] };
    const kernel = vi.spyOn(tf.engine(), 'runKernel');
    expect(() => encoder.layout([wide])).toThrow(ShapeError);
    expect(() => encoder.encode({ kind: 'dense', images: [wide], pixels })).toThrow(ShapeError);
    expect(() => encoder.pooled({ kind: 'dense', images: [picture], pixels })).toThrow(
      expect.objectContaining({
        component: "encoder 'clip'",
        expected: 'dense pixels float32[1, 8, 8, 3]',
        actual: 'dense [1, 8, 12, 3]',
      }),
    );
    expect(kernel).not.toHaveBeenCalled();
    pixels.dispose();
    encoder.dispose();
  });

  it('another number of views than the pictures say, or packed patches, are a ShapeError', () => {
    const encoder = built();
    const batch = batchOf(picture, picture);
    expect(() => encoder.encode({ ...batch, images: [picture] })).toThrow(ShapeError);
    const patches = tf.zeros<tf.Rank.R2>([4, 48]);
    expect(() => encoder.encode({ kind: 'packed', images: [picture], patches })).toThrow(ShapeError);
    tf.dispose([batch.pixels, patches]);
    encoder.dispose();
  });
});
