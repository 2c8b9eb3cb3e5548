import { startBackend } from '@mmllm/backends';
import { loadWeights, saveWeights } from '@mmllm/checkpoints';
import { assertTensorsClose, compareTensors, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, type DenseImages, largestImage, type PreparedImage, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { featuresAlone } from '../testing/alone';
import { asPixels, asRows, type GoldenCase, memoryWeights, openCase } from '../testing/golden';
import { wrongFeatureGradients } from '../testing/parameter-gradients';
import { savedOtherwise } from '../testing/saved';
import { unnoticed } from '../testing/zeroing';
import { type MllamaConfig, mllama } from './index';

let base: GoldenCase;
/** Six tiles, canvases and taps in an order of their own, and another eps: the tower alone. */
let sixTiles: GoldenCase;

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  base = await openCase('mllama/base');
  sixTiles = await openCase('mllama-vision/six-tiles');
});

/** A picture of so many tiles of `side` pixels, filled up to `maxTiles`. */
function picture(rows: number, columns: number, side: number, maxTiles: number): PreparedImage {
  const views = Array.from({ length: maxTiles }, (_, i) => ({
    role: 'tile' as const,
    height: side,
    width: side,
    valid: i < rows * columns,
  }));
  return { views, original: { height: rows * side, width: columns * side }, tiles: { rows, columns } };
}

/** The pictures of a case. */
function goldenBatch(golden = base): DenseImages {
  const { aspectRatios = [], imageSize, maxTiles = 4 } = mllama.checkpoint.config(golden.config);
  const images = [...golden.tensor('in.aspect_ratio_ids').data].map((id) =>
    picture(...aspectRatios[id - 1], imageSize, maxTiles),
  );
  return { kind: 'dense', images, pixels: asPixels(golden.tensor('in.pixel_values')) };
}

async function load(change: Partial<MllamaConfig> = {}, golden = base) {
  const config = { ...mllama.checkpoint.config(golden.config), ...change };
  const encoder = mllama(config);
  await loadWeights(encoder, golden.weights, mllama.checkpoint.names(config));
  return encoder;
}

describe('mllama, case base', () => {
  it('equals Hugging Face in the last layer and every tap', async () => {
    await expectNoLeak(async () => {
      const encoder = await load();
      const batch = goldenBatch();
      const { features, images, mask } = encoder.encode(batch);
      const expected = asRows(base.tensor('out.vision'));
      await assertTensorsClose(features, expected, base);
      expect(encoder.featureSize).toBe(features.shape[1]);
      expect(images).toEqual(encoder.layout(batch.images));
      expect(images[1].views[2]).toEqual({
        role: 'tile',
        start: 30,
        count: 5,
        prefix: 1,
        grid: { frames: 1, rows: 2, columns: 2 },
        valid: false,
      });
      // The second picture has two tiles of five tokens.
      expect([...(mask ?? [])]).toEqual(Array.from({ length: 40 }, (_, row) => (row < 30 ? 1 : 0)));
      tf.dispose([features, batch.pixels]);
      encoder.dispose();
    });
  });

  it('equals it with other tiles, canvases, taps and norms', async () => {
    const encoder = await load({}, sixTiles);
    const batch = goldenBatch(sixTiles);
    const { features } = encoder.encode(batch);
    await assertTensorsClose(features, asRows(sixTiles.tensor('out.vision')), sixTiles);
    tf.dispose([features, batch.pixels]);
    encoder.dispose();
  });

  it('is saved as the very file, and reads those of newer and bare files', async () => {
    const encoder = await load();
    const config = mllama.checkpoint.config(base.config);
    const names = mllama.checkpoint.names(config);
    const ofTower = (key: string) => key.startsWith('vision_model.');
    expect(await savedOtherwise(encoder, names, base.weights, ofTower)).toEqual([]);
    const saved = saveWeights(encoder, names);
    for (const prefix of ['model.vision_model', '']) {
      const renamed = new Map<string, { shape: readonly number[]; data: Float32Array }>();
      for (const [key, tensor] of saved) {
        const name = key.replace('vision_model', prefix).replace(/^\./, '');
        const data = (await tensor.read()) as Float32Array;
        renamed.set(name, { shape: tensor.shape, data });
      }
      const other = mllama(config);
      await loadWeights(other, memoryWeights(renamed), names);
      other.dispose();
    }
    encoder.dispose();
  });

  it('would show any parameter that is left out', async () => {
    const encoder = await load();
    const batch = goldenBatch();
    const expected = asRows(base.tensor('out.vision'));
    const differs = async () => {
      const { features } = encoder.encode(batch);
      const { ok } = await compareTensors(features, expected, base);
      features.dispose();
      return !ok;
    };
    expect(await unnoticed(encoder, differs)).toEqual([]);
    expect(await differs()).toBe(false);
    batch.pixels.dispose();
    encoder.dispose();
  });

  it('takes the inputs of the layers instead, as Meta’s code does', async () => {
    const shift = (layers: readonly number[]) => layers.map((layer) => layer - 1);
    const { intermediateLayers } = mllama.checkpoint.config(base.config);
    const [output, input] = [
      await load({ intermediateLayers: shift(intermediateLayers) }),
      await load({ taps: 'input' }),
    ];
    const batch = goldenBatch();
    const [a, b] = [output.encode(batch).features, input.encode(batch).features];
    await assertTensorsClose(a, b, { tolerance: 0 });
    const usual = asRows(base.tensor('out.vision'));
    expect(await compareTensors(b, usual, base)).toMatchObject({ ok: false });
    tf.dispose([a, b, batch.pixels]);
    output.dispose();
    input.dispose();
  });
});

describe('a batch', () => {
  it('gives the features of each picture alone', async () => {
    const encoder = await load();
    const batch = goldenBatch();
    const { features } = encoder.encode(batch);
    const alone = featuresAlone(encoder, batch);
    await assertTensorsClose(features, alone, { tolerance: 1e-6 });
    tf.dispose([features, alone, batch.pixels]);
    encoder.dispose();
  });
});

describe('tiles that only fill a picture up', () => {
  it('are seen by the picture, as in both codes', async () => {
    const encoder = await load();
    const batch = goldenBatch();
    const shifted = tf.tidy(() => {
      const [, , height, width] = base.tensor('in.pixel_values').shape.slice(2);
      const last = tf.tensor1d([0, 0, 0, 0, 0, 0, 0, 1]);
      return tf.add(batch.pixels, tf.mul(tf.reshape(last, [8, 1, 1, 1]), tf.ones([1, height, width, 1])));
    }) as tf.Tensor4D;
    const outputs = [batch.pixels, shifted].map((pixels) => encoder.encode({ ...batch, pixels }).features);
    // The first two tiles of the second picture.
    const [first, second] = outputs.map((features) => tf.slice2d(features, [20, 0], [10, -1]));
    expect(await compareTensors(first, second, { tolerance: 1e-3 })).toMatchObject({ ok: false });
    tf.dispose([batch.pixels, shifted, outputs, first, second]);
    encoder.dispose();
  });
});

describe('mllama', () => {
  const tiny: MllamaConfig = {
    imageSize: 8,
    patchSize: 4,
    hiddenSize: 6,
    numLayers: 2,
    numGlobalLayers: 1,
    numHeads: 2,
    maxTiles: 2,
    intermediateLayers: [0, -1],
  };
  const full: MllamaConfig = {
    imageSize: 448,
    patchSize: 14,
    hiddenSize: 1280,
    numLayers: 32,
    numGlobalLayers: 8,
    numHeads: 16,
    intermediateLayers: [3, 7, 15, 23, 30],
  };
  /** Pictures of at most two tiles. */
  const batchOf = (...images: PreparedImage[]): DenseImages => {
    const pixels = tf.randomNormal<tf.Rank.R4>([2 * images.length, 8, 8, 3], 0, 1, 'float32', 5);
    return { kind: 'dense', images, pixels };
  };

  it('has the right gradient for the pixels and every parameter', async () => {
    await startBackend({ backend: 'cpu' });
    const encoder = mllama({ ...tiny, initializerRange: 0.3 });
    encoder.initialize({ seed: 2 });
    for (const [path, parameter] of encoder.namedParameters()) {
      if (/gate$/i.test(path)) parameter.assign(Float32Array.of(0.7));
    }
    const batch = batchOf(picture(1, 2, 8, 2), picture(1, 1, 8, 2));
    const encode = (pixels: tf.Tensor4D) => encoder.encode({ ...batch, pixels }).features;
    expect(await wrongFeatureGradients(encoder, encode, batch.pixels)).toEqual([]);
    batch.pixels.dispose();
    encoder.dispose();
    await startBackend({ backend: 'wasm' });
  });

  it('has the published sizes, shape-only', () => {
    const before = tf.memory().numTensors;
    expect(mllama(full).countParameters()).toBe(836_288_019);
    expect(mllama({ ...full, imageSize: 560 }).countParameters()).toBe(863_567_379);
    expect(mllama(full).featureSize).toBe(7680);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says how pictures are prepared, and lays out the largest', () => {
    const { preprocessing } = mllama(full);
    expect(preprocessing).toMatchObject({ kind: 'canvas', tileSize: 448, maxTiles: 4, resample: 'bilinear' });
    const image = largestImage(preprocessing) as PreparedImage;
    const [{ views, tiles }] = mllama(full).layout([image]);
    expect(tiles).toEqual({ rows: 1, columns: 4 });
    expect(views.map(({ count }) => count)).toEqual([1025, 1025, 1025, 1025]);
  });

  it('reads config.json, with the defaults of the class', () => {
    expect(mllama.checkpoint.config({ vision_config: { image_size: 560, max_num_tiles: 4 } })).toEqual({
      ...full,
      imageSize: 560,
      intermediateSize: 5120,
      activation: 'gelu',
      layerNormEps: 1e-5,
      maxTiles: 4,
      aspectRatios: undefined,
    });
    expect(() => mllama.checkpoint.config({ hidden_act: 'mish' })).toThrow(ConfigError);
    expect(() => mllama.checkpoint.config({ num_channels: 1 })).toThrow(ConfigError);
    expect(() => mllama.checkpoint.config({ vision_output_dim: 1280 })).toThrow(ConfigError);
  });

  it.each([
    ['a layer that does not exist', { intermediateLayers: [2] }, 'mllama.intermediateLayers'],
    ['a canvas of too many tiles', { aspectRatios: [[3, 1]] }, 'mllama.aspectRatios'],
    ['a patch larger than a tile', { patchSize: 9 }, 'mllama.patchSize'],
    ['other taps', { taps: 'both' }, 'mllama.taps'],
    ['a key that nobody knows', { depth: 3 }, 'mllama'],
  ])('%s is a ConfigError', (_, change, component) => {
    const build = () => mllama({ ...tiny, ...change } as MllamaConfig);
    expect(build).toThrow(expect.objectContaining({ name: 'ConfigError', component }));
  });

  it.each([
    ['another number of tiles', picture(1, 1, 8, 3), '3'],
    ['tiles of another size', picture(1, 1, 4, 2), '4×4'],
    ['a canvas that is not known', { ...picture(1, 1, 8, 2), tiles: { rows: 3, columns: 1 } }, '3×1'],
    [
      'a canvas with a tile that does not count',
      { ...picture(1, 1, 8, 2), tiles: { rows: 2, columns: 1 } },
      'valid: true, false',
    ],
    ['more tiles than the canvas has', { ...picture(1, 2, 8, 2), tiles: undefined }, 'valid: true, true'],
  ])('%s is a ShapeError', (_, image, actual) => {
    const encoder = mllama(tiny);
    expect(() => encoder.layout([image])).toThrow(ShapeError);
    expect(() => encoder.layout([image])).toThrow(expect.objectContaining({ actual }));
  });

  it('has no taps where none are asked for', () => {
    const encoder = mllama({ ...tiny, intermediateLayers: [] });
    encoder.initialize();
    const batch = batchOf(picture(2, 1, 8, 2));
    const { features } = encoder.encode(batch);
    expect(features.shape).toEqual([10, 6]);
    tf.dispose([features, batch.pixels]);
    encoder.dispose();
  });
});
