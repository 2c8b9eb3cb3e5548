import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { assertTensorsClose, compareTensors, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, type DenseImages, largestImage, type PreparedImage, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { featuresAlone } from '../testing/alone';
import { ariaProjector } from '../testing/aria-projector';
import { type GoldenCase, memoryWeights, openCase } from '../testing/golden';
import { hiddenOutputs, wrongOutputs } from '../testing/outputs';
import { wrongFeatureGradients } from '../testing/parameter-gradients';
import { savedOtherwise } from '../testing/saved';
import { isKeyBias, unnoticed } from '../testing/zeroing';
import { type AriaConfig, aria } from './index';

let golden: GoldenCase;

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  golden = await openCase('aria/base');
});

async function load(change: Partial<AriaConfig> = {}) {
  const config = { ...aria.checkpoint.config(golden.config), ...change };
  const encoder = aria(config);
  await loadWeights(encoder, golden.weights, aria.checkpoint.names(config));
  return encoder;
}

/** The pictures of the case, with the part of each patch that its pixel mask covers. */
function goldenBatch(): DenseImages {
  const { patchSize } = aria.checkpoint.config(golden.config);
  const { shape, data } = golden.tensor('in.pixel_mask');
  const [views, height, width] = shape;
  const coverage = tf.tidy(() => {
    const parts = tf.avgPool(tf.tensor4d(data, [views, height, width, 1]), patchSize, patchSize, 'valid');
    return parts.dataSync<'float32'>();
  });
  return { ...golden.images('in.pixel_values'), coverage };
}

describe('Aria, case base', () => {
  it('gives its projector what Hugging Face’s tower does', async () => {
    await expectNoLeak(async () => {
      const encoder = await load();
      const projector = await ariaProjector(golden.config, golden.weights);
      const batch = goldenBatch();
      const encoded = encoder.encode(batch);
      const projected = projector.forward(encoded);
      await assertTensorsClose(projected, golden.tensor('out.features'), golden);
      // The last column of the second picture is padding.
      const mask = Array.from({ length: 32 }, (_, row) => (row >= 16 && row % 4 === 3 ? 0 : 1));
      expect([...(encoded.mask ?? [])]).toEqual(mask);
      expect(encoded.images).toEqual(encoder.layout(batch.images));
      tf.dispose([encoded.features, projected, batch.pixels]);
      projector.dispose();
      encoder.dispose();
    });
  });

  it('would show any parameter that is left out, but for the norm that nothing reads', async () => {
    const encoder = await load();
    const projector = await ariaProjector(golden.config, golden.weights);
    const batch = goldenBatch();
    const differs = async () => {
      const encoded = encoder.encode(batch);
      const projected = projector.forward(encoded);
      const { ok } = await compareTensors(projected, golden.tensor('out.features'), golden);
      tf.dispose([encoded.features, projected]);
      return !ok;
    };
    expect(await differs()).toBe(false);
    const unread = (await unnoticed(encoder, differs)).filter((path) => !isKeyBias(path));
    expect(unread).toEqual(['postNorm.weight', 'postNorm.bias']);
    batch.pixels.dispose();
    projector.dispose();
    encoder.dispose();
  });

  it('would show padding that counts, and positions that ignore it', async () => {
    const encoder = await load();
    const projector = await ariaProjector(golden.config, golden.weights);
    const { coverage, ...batch } = goldenBatch();
    const encoded = encoder.encode(batch);
    expect(encoded.mask).toBeUndefined();
    const projected = projector.forward(encoded);
    const result = await compareTensors(projected, golden.tensor('out.features'), golden);
    expect(result).toMatchObject({ ok: false });
    tf.dispose([encoded.features, projected, batch.pixels]);
    projector.dispose();
    encoder.dispose();
  });

  it('is saved as the very file, the unused norm among them', async () => {
    const encoder = await load();
    const names = aria.checkpoint.names(aria.checkpoint.config(golden.config));
    const ofTower = (key: string) => key.startsWith('vision_tower.');
    expect(await savedOtherwise(encoder, names, golden.weights, ofTower)).toEqual([]);
    encoder.dispose();
  });

  it('is loaded without that norm, from a file with or without it, under any prefix', async () => {
    const config = { ...aria.checkpoint.config(golden.config), postNorm: false };
    const usual = await load({ postNorm: false });
    for (const prefix of ['model.vision_tower', 'vision_tower.vision_model']) {
      const renamed = new Map<string, { shape: readonly number[]; data: Float32Array }>();
      for (const key of golden.weights.keys()) {
        if (!key.startsWith('vision_tower.') || key.includes('post_layernorm')) continue;
        const data = await golden.weights.read(key);
        renamed.set(key.replace('vision_tower', prefix), { shape: golden.weights.shape(key), data });
      }
      const encoder = aria(config);
      await loadWeights(encoder, memoryWeights(renamed), aria.checkpoint.names(config));
      encoder.dispose();
    }
    usual.dispose();
  });

  it('takes other layers, and the last norm if asked for', async () => {
    const [encoder, plain] = [await load({ features: { layers: [-1, 1], norm: true } }), await load()];
    const batch = goldenBatch();
    const [{ features }, states] = [encoder.encode(batch), plain.hiddenStates(batch)];
    const expected = tf.tidy(() => {
      const taps = [states[3], states[1]].map((state) => encoder.postNorm!.forward(state));
      return tf.reshape(tf.concat(taps, 2), [32, -1]);
    });
    await assertTensorsClose(features, expected, { tolerance: 1e-6 });
    expect(features.shape[1]).toBe(encoder.featureSize);
    tf.dispose([features, states, expected, batch.pixels]);
    encoder.dispose();
    plain.dispose();
  });

  it('gives the features of each picture of a batch alone', async () => {
    const encoder = await load();
    const batch = goldenBatch();
    const { features } = encoder.encode(batch);
    const alone = featuresAlone(encoder, batch);
    await assertTensorsClose(features, alone, { tolerance: 1e-6 });
    tf.dispose([features, alone, batch.pixels]);
    encoder.dispose();
  });
});

describe('Aria, case padded', () => {
  it('equals Hugging Face in every hidden state of views that are padded on either side', async () => {
    const padded = await openCase('aria-vision/padded');
    const config = aria.checkpoint.config(padded.config);
    const encoder = aria(config);
    await loadWeights(encoder, padded.weights, aria.checkpoint.names(config));
    const batch = { ...padded.images('in.pixel_values'), coverage: padded.tensor('in.patch_mask').data };
    const states = encoder.hiddenStates(batch);
    expect(await wrongOutputs(padded, hiddenOutputs(states))).toEqual([]);
    tf.dispose([states, batch.pixels]);
    encoder.dispose();
  });
});

describe('aria', () => {
  const tiny: AriaConfig = { imageSize: 12, patchSize: 4, hiddenSize: 6, numLayers: 2, numHeads: 2 };
  const full: AriaConfig = {
    imageSize: 980,
    patchSize: 14,
    hiddenSize: 1152,
    numLayers: 27,
    numHeads: 16,
    intermediateSize: 4304,
  };
  const wide: PreparedImage = {
    views: [{ role: 'image', height: 8, width: 12 }],
    original: { height: 8, width: 12 },
  };

  it('has the right gradient for the pixels and every parameter', async () => {
    await startBackend({ backend: 'cpu' });
    const encoder = aria({ ...tiny, postNorm: false, initializerRange: 0.3 });
    encoder.initialize({ seed: 2 });
    const pixels = tf.randomNormal<tf.Rank.R4>([2, 8, 12, 3], 0, 1, 'float32', 5);
    const coverage = Float32Array.of(1, 1, 1, 1, 1, 1, 1, 0.5, 0, 0, 0, 0);
    const encode = (x: tf.Tensor4D) =>
      encoder.encode({ kind: 'dense', images: [wide, wide], pixels: x, coverage }).features;
    expect(await wrongFeatureGradients(encoder, encode, pixels)).toEqual([]);
    pixels.dispose();
    encoder.dispose();
    await startBackend({ backend: 'wasm' });
  });

  it('has the published size, shape-only', () => {
    const before = tf.memory().numTensors;
    expect(aria(full).countParameters()).toBe(417_792_240);
    expect(aria({ ...full, postNorm: false }).countParameters()).toBe(417_792_240 - 2 * 1152);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says how pictures are prepared, and lays out the largest', () => {
    expect(aria(full).preprocessing).toEqual({
      kind: 'padded',
      patchSize: 14,
      longestEdge: 980,
      minShortEdge: 336,
      resample: 'bicubic',
      rescale: 1 / 255,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    });
    const small = aria({ ...full, inputSize: 490 });
    const [{ views }] = small.layout([largestImage(small.preprocessing) as PreparedImage]);
    expect(views[0]).toMatchObject({ count: 1225, prefix: 0, grid: { rows: 35, columns: 35 } });
  });

  it('reads config.json, with the defaults of the class', () => {
    expect(aria.checkpoint.config({ vision_config: { image_size: 980 }, vision_feature_layer: -2 })).toEqual({
      imageSize: 980,
      patchSize: 32,
      hiddenSize: 1152,
      numLayers: 12,
      numHeads: 16,
      intermediateSize: 3072,
      activation: 'gelu_tanh',
      layerNormEps: 1e-6,
      features: { layers: [-2] },
    });
    expect(() => aria.checkpoint.config({ vision_feature_layer: [-1, -2] })).toThrow(ConfigError);
    expect(() => aria.checkpoint.config({ num_channels: 4 })).toThrow(ConfigError);
  });

  it.each([
    ['a layer beyond the last', { features: { layers: [3] } }, 'aria.features.layers'],
    ['a short edge above the long one', { minShortEdge: 13 }, 'aria.minShortEdge'],
    ['a norm that is not there', { features: { norm: true }, postNorm: false }, 'aria.postNorm'],
    ['tiles', { tiling: { maxTiles: 2 } }, 'aria'],
  ])('%s is a ConfigError', (_, change, component) => {
    const build = () => aria({ ...tiny, ...change } as AriaConfig);
    expect(build).toThrow(expect.objectContaining({ name: 'ConfigError', component }));
  });

  it('views of two sizes, other pixels and a coverage that does not fit are a ShapeError', () => {
    const encoder = aria(tiny);
    encoder.initialize();
    const pixels = tf.zeros<tf.Rank.R4>([1, 8, 12, 3]);
    const tall: PreparedImage = { ...wide, views: [{ role: 'image', height: 12, width: 8 }] };
    const batch: DenseImages = { kind: 'dense', images: [wide], pixels };
    expect(() => encoder.encode({ ...batch, images: [wide, tall] })).toThrow(ShapeError);
    expect(() => encoder.encode({ ...batch, images: [tall] })).toThrow(ShapeError);
    expect(() => encoder.encode({ ...batch, coverage: new Float32Array(4) })).toThrow(
      expect.objectContaining({ expected: 'coverage of 6 patches', actual: '4 values' }),
    );
    const patches = tf.zeros<tf.Rank.R2>([6, 48]);
    expect(() => encoder.encode({ kind: 'packed', images: [wide], patches })).toThrow(ShapeError);
    tf.dispose([pixels, patches]);
    encoder.dispose();
  });
});
