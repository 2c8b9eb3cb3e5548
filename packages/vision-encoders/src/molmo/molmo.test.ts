import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, type DenseImages, largestImage, type PreparedImage, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { featuresAlone } from '../testing/alone';
import { type GoldenCase, openCase } from '../testing/golden';
import { molmoProjector } from '../testing/molmo-projector';
import { hiddenOutputs, wrongOutputs } from '../testing/outputs';
import { wrongFeatureGradients } from '../testing/parameter-gradients';
import { savedOtherwise } from '../testing/saved';
import { isKeyBias, unnoticed } from '../testing/zeroing';
import { type MolmoConfig, molmo, unpatchify } from './index';

let golden: GoldenCase;

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  golden = await openCase('molmo/base');
});

async function load(change: Partial<MolmoConfig> = {}) {
  const config = { ...molmo.checkpoint.config(golden.config), ...change };
  const encoder = molmo(config);
  await loadWeights(encoder, golden.weights, molmo.checkpoint.names(config));
  return encoder;
}

/** Views of one picture, of which some only fill up the batch. */
function picture(side: number, valid: readonly boolean[]): PreparedImage {
  const views = valid.map((one, i) => {
    const role = i === 0 ? ('thumbnail' as const) : ('tile' as const);
    return { role, height: side, width: side, valid: one };
  });
  return { views, original: { height: side, width: side } };
}

/** The crops of the case, which lie in patches; those of −1 everywhere fill up the batch. */
function goldenBatch(): DenseImages {
  const { imageSize, patchSize } = molmo.checkpoint.config(golden.config);
  const { shape, data } = golden.tensor('in.images');
  const [batch, crops, count, width] = shape;
  const size = count * width;
  const valid = Array.from({ length: batch * crops }, (_, view) =>
    data.subarray(view * size, (view + 1) * size).some((value) => value !== -1),
  );
  const images = Array.from({ length: batch }, (_, i) =>
    picture(imageSize, valid.slice(i * crops, (i + 1) * crops)),
  );
  const pixels = tf.tidy(() => {
    const patches = tf.tensor3d(data, [batch * crops, count, width]);
    return unpatchify(patches, { rows: imageSize / patchSize, columns: imageSize / patchSize });
  });
  return { kind: 'dense', images, pixels, coverage: golden.tensor('in.image_masks').data };
}

/** Compares every hidden state and what the projector makes of the features; a message for each that differs. */
async function differences(
  encoder: ReturnType<typeof molmo>,
  projector: Awaited<ReturnType<typeof molmoProjector>>,
): Promise<string[]> {
  const batch = goldenBatch();
  const encoded = encoder.encode(batch);
  const states = encoder.hiddenStates(batch);
  const projected = projector.forward(encoded);
  const entering = tf.reshape(projected, [...golden.tensor('out.features').shape]);
  const outputs = { ...hiddenOutputs(states, 'out.vit.hidden'), 'out.features': entering };
  const wrong = await wrongOutputs(golden, outputs);
  tf.dispose([batch.pixels, encoded.features, projected, outputs]);
  return wrong;
}

describe('Molmo, case base', () => {
  it('equals the reference in every hidden state, and gives its projector the same features', async () => {
    await expectNoLeak(async () => {
      const encoder = await load();
      const projector = await molmoProjector(golden.config, golden.weights);
      expect(await differences(encoder, projector)).toEqual([]);
      projector.dispose();
      encoder.dispose();
    });
  });

  it('would show any parameter that is left out', async () => {
    const encoder = await load();
    const projector = await molmoProjector(golden.config, golden.weights);
    const shows = async () => (await differences(encoder, projector)).length > 0;
    const unseen = await unnoticed(encoder, shows);
    expect(unseen.filter((path) => !isKeyBias(path))).toEqual([]);
    projector.dispose();
    encoder.dispose();
  });

  it('is saved as the very file', async () => {
    const encoder = await load();
    const names = molmo.checkpoint.names(molmo.checkpoint.config(golden.config));
    const ofTower = (key: string) => /backbone\.(image_vit|pad_embed)/.test(key);
    expect(await savedOtherwise(encoder, names, golden.weights, ofTower)).toEqual([]);
    encoder.dispose();
  });

  it('never runs the block behind the last one that is read', async () => {
    const encoder = await load();
    const batch = goldenBatch();
    const before = encoder.encode(batch).features;
    encoder.tower.layers[4].dispose();
    const after = encoder.encode(batch).features;
    await assertTensorsClose(after, before, { tolerance: 0 });
    tf.dispose([before, after, batch.pixels]);
    encoder.dispose();
  });

  it('gives the features of each picture of a batch alone', async () => {
    const encoder = await load();
    const batch = goldenBatch();
    const { features, images } = encoder.encode(batch);
    expect(images).toEqual(encoder.layout(batch.images));
    const alone = featuresAlone(encoder, batch);
    await assertTensorsClose(features, alone, { tolerance: 1e-6 });
    tf.dispose([features, alone, batch.pixels]);
    encoder.dispose();
  });
});

const tiny: MolmoConfig = {
  imageSize: 8,
  patchSize: 4,
  hiddenSize: 6,
  numLayers: 2,
  numHeads: 2,
  features: { layers: [-1, 1] },
};

describe('padding', () => {
  it('adds the first row where all is padding, the second where some is, to zeros in views that fill up', async () => {
    const encoder = molmo(tiny);
    encoder.initialize({ seed: 1 });
    encoder.paddingEmbedding?.assign(Float32Array.from({ length: 24 }, (_, i) => (i < 12 ? 100 : 200)));
    const images = [picture(8, [true, false])];
    const pixels = tf.randomNormal<tf.Rank.R4>([2, 8, 8, 3], 0, 1, 'float32', 5);
    const coverage = Float32Array.of(1, 0, 0.5, -1, 0, -1, 1, 0.25);
    const [plain, padded] = [undefined, coverage].map(
      (parts) => encoder.encode({ kind: 'dense', images, pixels, coverage: parts }).features,
    );
    const added = tf.tidy(() => tf.sub(padded, plain));
    const rows = [0, 100, 200, 200, 100, 200, 0, 200];
    const expected = {
      shape: [8, 12],
      data: Float32Array.from({ length: 96 }, (_, i) => rows[Math.floor(i / 12)]),
    };
    await assertTensorsClose(added, expected, { tolerance: 1e-5 });
    const filling = tf.tidy(() => tf.max(tf.abs(tf.slice2d(plain, [4, 0], [4, -1]))).dataSync()[0]);
    expect(filling).toBe(0);
    tf.dispose([pixels, plain, padded, added]);
    encoder.dispose();
  });
});

describe('molmo', () => {
  const full: MolmoConfig = {
    imageSize: 336,
    patchSize: 14,
    hiddenSize: 1024,
    numLayers: 23,
    numHeads: 16,
  };

  it('has the right gradient for the pixels and every parameter', async () => {
    await startBackend({ backend: 'cpu' });
    const encoder = molmo({ ...tiny, initializerRange: 0.3 });
    encoder.initialize({ seed: 2 });
    const images = [picture(8, [true, true, false])];
    const pixels = tf.randomNormal<tf.Rank.R4>([3, 8, 8, 3], 0, 1, 'float32', 5);
    const coverage = Float32Array.of(1, 1, 0, 0.5, 1, 1, 1, 1, 0, 0, -1, -1);
    const encode = (x: tf.Tensor4D) =>
      encoder.encode({ kind: 'dense', images, pixels: x, coverage }).features;
    expect(await wrongFeatureGradients(encoder, encode, pixels)).toEqual([]);
    pixels.dispose();
    encoder.dispose();
    await startBackend({ backend: 'wasm' });
  });

  it('has the published size, shape-only', () => {
    const before = tf.memory().numTensors;
    expect(molmo({ ...full, paddingEmbedding: false }).countParameters()).toBe(290_909_184);
    expect(molmo(full).countParameters()).toBe(290_909_184 + 4096);
    expect(molmo(full).featureSize).toBe(2048);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says how pictures are prepared, and lays out the largest', () => {
    const encoder = molmo(full);
    expect(encoder.preprocessing).toMatchObject({
      kind: 'crops',
      cropSize: { height: 336, width: 336 },
      patchSize: 14,
      maxCrops: 12,
      overlap: [4, 4],
      rescale: 1 / 255,
    });
    const [{ views }] = encoder.layout([largestImage(encoder.preprocessing) as PreparedImage]);
    expect(views.length).toBe(13);
    expect(views[0]).toMatchObject({ count: 576, prefix: 0, grid: { rows: 24, columns: 24 } });
  });

  it('reads the published config.json, which has no word on the tower, and the names of the reference', () => {
    const published = { model_type: 'molmo', hidden_size: 3584, num_hidden_layers: 28 };
    expect(molmo.checkpoint.config(published)).toEqual({
      ...full,
      intermediateSize: 4096,
      activation: 'quick_gelu',
      layerNormEps: 1e-5,
      features: { layers: [-2, -9] },
      paddingEmbedding: true,
    });
    expect(molmo.checkpoint.config({ vit_layers: [0, -1], image_padding_embed: null })).toMatchObject({
      features: { layers: [1, -1] },
      paddingEmbedding: false,
    });
  });

  it.each([
    ['another kind of tower', { vision_backbone: { image_model_type: 'siglip' } }],
    ['crops that are not square', { vision_backbone: { image_default_input_size: [336, 224] } }],
    ['positions for another size', { vision_backbone: { image_num_pos: 257 } }],
    ['fewer key heads', { vision_backbone: { image_num_key_value_heads: 8 } }],
    ['another rule for padding', { image_padding_embed: 'regress' }],
  ])('%s in config.json is a ConfigError', (_, json) => {
    expect(() => molmo.checkpoint.config(json)).toThrow(ConfigError);
  });

  it.each([
    ['a layer beyond the last', { features: { layers: [3] } }, 'molmo.features.layers'],
    ['crops that only overlap', { overlap: [1, 1] }, 'molmo.overlap'],
    ['a last norm', { features: { norm: true } }, 'molmo.features'],
  ])('%s is a ConfigError', (_, change, component) => {
    const build = () => molmo({ ...tiny, ...change } as MolmoConfig);
    expect(build).toThrow(expect.objectContaining({ name: 'ConfigError', component }));
  });

  it('crops of another size, a coverage and patches that do not fit are a ShapeError', () => {
    const encoder = molmo(tiny);
    encoder.initialize();
    const pixels = tf.zeros<tf.Rank.R4>([1, 8, 8, 3]);
    const batch: DenseImages = { kind: 'dense', images: [picture(8, [true])], pixels };
    expect(() => encoder.layout([picture(12, [true])])).toThrow(ShapeError);
    expect(() => encoder.encode({ ...batch, coverage: new Float32Array(5) })).toThrow(
      expect.objectContaining({ component: "encoder 'molmo'", expected: 'coverage of 4 patches' }),
    );
    expect(() => encoder.encode({ ...batch, images: [picture(8, [true, true])] })).toThrow(ShapeError);
    const patches = tf.zeros<tf.Rank.R3>([1, 4, 48]);
    expect(() => unpatchify(patches, { rows: 2, columns: 3 })).toThrow(ShapeError);
    tf.dispose([pixels, patches]);
    encoder.dispose();
  });
});
