import { readFile } from 'node:fs/promises';
import { startBackend } from '@mmllm/backends';
import { bufferSource, loadWeights, openSafetensors, safetensorsWeights } from '@mmllm/checkpoints';
import { compareTensors, expectNoLeak } from '@mmllm/conformance';
import { ConfigError } from '@mmllm/core';
import { activate } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { FileTensors } from '../testing/file-tensors';
import { asRows, type GoldenCase, openCase } from '../testing/golden';
import { hiddenOutputs, wrongOutputs } from '../testing/outputs';
import { keysOf, savedOtherwise } from '../testing/saved';
import { isKeyBias, unnoticed } from '../testing/zeroing';
import { type InternVitConfig, internVit, internVitOriginalNames, type VisionTransformer } from './index';

beforeAll(() => startBackend({ backend: 'wasm' }));

async function load(golden: GoldenCase, changes: Partial<InternVitConfig> = {}): Promise<VisionTransformer> {
  const config = { ...internVit.checkpoint.config(golden.config), ...changes };
  const encoder = internVit(config);
  await loadWeights(encoder, golden.weights, internVit.checkpoint.names(config));
  return encoder;
}

describe.each(['6b-layout', '300m-layout'])('InternViT, case %s', (name) => {
  let golden: GoldenCase;
  beforeAll(async () => {
    golden = await openCase(`intern-vit/${name}`);
  });

  /** With the class token among its features, so that they are all of the last state. */
  const loadWhole = () => {
    const { features } = internVit.checkpoint.config(golden.config);
    return load(golden, { features: { ...features, classToken: 'keep' } });
  };

  async function differences(encoder: VisionTransformer): Promise<string[]> {
    const batch = golden.images('in.pixels');
    const states = encoder.hiddenStates(batch);
    const last = tf.tidy(() => tf.reshape(encoder.encode(batch).features, states[0].shape));
    const outputs = { ...hiddenOutputs(states), 'out.last': last };
    const wrong = await wrongOutputs(golden, outputs);
    tf.dispose([batch.pixels, outputs]);
    return wrong;
  }

  it('equals transformers in every hidden state', async () => {
    await expectNoLeak(async () => {
      const encoder = await loadWhole();
      expect(await differences(encoder)).toEqual([]);
      encoder.dispose();
    });
  });

  it('has the very names of the file', async () => {
    const encoder = await load(golden);
    const names = internVit.checkpoint.names(internVit.checkpoint.config(golden.config));
    expect(new Set(keysOf(encoder, names))).toEqual(new Set(golden.weights.keys()));
    encoder.dispose();
  });

  it('would show any parameter that is left out', async () => {
    const encoder = await loadWhole();
    const unseen = await unnoticed(encoder, async () => (await differences(encoder)).length > 0);
    expect(unseen.filter((path) => !isKeyBias(path))).toEqual([]);
    expect(await differences(encoder)).toEqual([]);
    encoder.dispose();
  });

  it('pools the class token of the last state', async () => {
    const encoder = await load(golden);
    const batch = golden.images('in.pixels');
    const { shape, data } = golden.tensor('out.last');
    const token = tf.tidy(() =>
      tf.squeeze(tf.slice(tf.tensor(data, [...shape]), [0, 0, 0], [-1, 1, -1]), [1]),
    );
    const pooled = encoder.pooled(batch);
    expect(await compareTensors(pooled, token, golden)).toMatchObject({ ok: true });
    tf.dispose([batch.pixels, token, pooled]);
    encoder.dispose();
  });

  it('gives the patches of the last state as features', async () => {
    const encoder = await load(golden);
    const batch = golden.images('in.pixels');
    const { features } = encoder.encode(batch);
    const last = golden.tensor('out.last');
    const [views, tokens, width] = last.shape;
    const kept = tf.tidy(() =>
      tf.slice(tf.tensor3d(last.data, [views, tokens, width]), [0, 1, 0], [-1, -1, -1]),
    );
    const expected = asRows({ shape: kept.shape, data: await kept.data<'float32'>() });
    expect(await compareTensors(features, expected, golden)).toMatchObject({ ok: true });
    tf.dispose([batch.pixels, features, kept]);
    encoder.dispose();
  });
});

describe('InternVL, case base', () => {
  it('gives what the projector needs for the features that enter the decoder', async () => {
    await expectNoLeak(async () => {
      const golden = await openCase('internvl/base');
      const encoder = await load(golden);
      const projector = await FileTensors.open(golden.weights, 'multi_modal_projector.');
      const difference = async () => {
        const batch = golden.images('in.pixel_values');
        const projected = tf.tidy(() => {
          const { features, images } = encoder.encode(batch);
          const blocks = shuffled(features, images.length);
          const hidden = activate(projector.linear(projector.norm(blocks, 'layer_norm'), 'linear_1'), 'gelu');
          return projector.linear(hidden, 'linear_2');
        });
        const { ok, message } = await compareTensors(projected, golden.tensor('out.features'), golden);
        tf.dispose([batch.pixels, projected]);
        return ok ? '' : message;
      };
      expect(await difference()).toBe('');
      expect(await unnoticed(encoder, async () => (await difference()) !== '')).toEqual([]);
      projector.dispose();
      encoder.dispose();
    });
  });

  /** InternVL's pixel shuffle: blocks of 2 × 2 tokens, float32[views · N, D] to float32[views · N / 4, 4 · D]. */
  function shuffled(features: tf.Tensor2D, views: number): tf.Tensor2D {
    const [tokens, width] = features.shape;
    const half = Math.sqrt(tokens / views) / 2;
    const blocks = tf.reshape(features, [views * half, 2, half, 2 * width]);
    return tf.reshape(tf.transpose(blocks, [0, 2, 1, 3]), [-1, 4 * width]);
  }
});

describe('InternViT in the published layout', () => {
  const file = async (path: string) => {
    const url = new URL(`../../../../fixtures/cases/nvlm-d/base/${path}`, import.meta.url);
    return new Uint8Array(await readFile(url));
  };
  const json = async (path: string) => JSON.parse(new TextDecoder().decode(await file(path)));
  const weights = async (path: string) =>
    safetensorsWeights(await openSafetensors(bufferSource(await file(path), path)));

  it('is the same tower, dummy heads and all', async () => {
    const config = internVit.checkpoint.config(await json('model-published/config.json'));
    const plain = internVit(config);
    await loadWeights(plain, await weights('model/model.safetensors'), internVit.checkpoint.names(config));
    const wide = { ...config, numDummyHeads: 1 };
    const published = internVit(wide);
    const names = internVitOriginalNames(wide);
    const source = await weights('model-published/model.safetensors');
    await loadWeights(published, source, names);
    const view = { role: 'image', height: config.imageSize, width: config.imageSize } as const;
    const pixels = tf.randomNormal<tf.Rank.R4>([2, config.imageSize, config.imageSize, 3]);
    const batch = {
      kind: 'dense',
      images: [view, view].map((v) => ({ views: [v], original: v })),
      pixels,
    } as const;
    const [a, b] = [plain.encode(batch).features, published.encode(batch).features];
    expect(await compareTensors(a, b, { tolerance: 1e-5 })).toMatchObject({ ok: true });
    const ofTower = (key: string) => key.startsWith('vision_model.');
    const saved = internVitOriginalNames(wide, 'vision_model');
    expect(await savedOtherwise(published, saved, source, ofTower)).toEqual([]);
    tf.dispose([a, b, pixels]);
    plain.dispose();
    published.dispose();
  });
});

describe('internVit', () => {
  it('has the published sizes, shape-only', () => {
    const large = { patchSize: 14, hiddenSize: 3200, numHeads: 25, intermediateSize: 12_800 };
    expect(internVit({ ...large, imageSize: 224, numLayers: 48 }).countParameters()).toBe(5_902_793_600);
    const v15 = { ...large, imageSize: 448, numLayers: 45 };
    expect(internVit(v15).countParameters()).toBe(5_536_496_000);
    const dummies = internVit({ ...v15, numDummyHeads: 7 }).countParameters();
    expect(dummies - internVit(v15).countParameters()).toBe(516_176_640);
  });

  it('reads both configurations, with the defaults of their classes', () => {
    const { config } = internVit.checkpoint;
    expect(config({ model_type: 'internvl_vision' })).toMatchObject({
      hiddenSize: 1024,
      norm: 'layer',
      qkNorm: false,
      qkvBias: false,
      postNorm: false,
    });
    expect(config({ vision_config: { model_type: 'intern_vit_6b' } })).toMatchObject({
      imageSize: 224,
      hiddenSize: 3200,
      numLayers: 48,
      norm: 'rms',
      qkNorm: true,
    });
    expect(config({ use_mean_pooling: false })).toMatchObject({ postNorm: true });
    expect(config({ image_size: [448, 448], patch_size: [14, 14] })).toMatchObject({ imageSize: 448 });
    expect(() => config({ image_size: [448, 224] })).toThrow(ConfigError);
    expect(() => config({ norm_type: 'group_norm' })).toThrow(ConfigError);
    expect(() => config({ use_absolute_position_embeddings: false })).toThrow(ConfigError);
    expect(() =>
      internVit({
        imageSize: 8,
        patchSize: 4,
        hiddenSize: 8,
        numLayers: 1,
        numHeads: 1,
        features: { norm: true },
      }),
    ).toThrow(ConfigError);
  });

  it('takes the features that a whole model says, after the last norm only where they are the last', () => {
    const features = (json: object) => internVit.checkpoint.config(json).features;
    expect(features({})).toEqual({ layers: [-1], norm: false });
    const vision_config = { use_mean_pooling: false };
    expect(features({ vision_config })).toEqual({ layers: [-1], norm: true });
    expect(features({ vision_config, vision_feature_layer: -2 })).toEqual({ layers: [-2], norm: false });
    const original = { vision_config: { model_type: 'intern_vit_6b' }, select_layer: -4 };
    expect(features(original)).toEqual({ layers: [-4] });
    expect(() => features({ vision_feature_layer: 'last' })).toThrow(ConfigError);
  });

  it('has a norm at the end where it does not pool by the mean, and biases where asked for', async () => {
    const config = { imageSize: 8, patchSize: 4, hiddenSize: 8, numLayers: 1, numHeads: 2 };
    const plain = internVit({ ...config, qkNorm: false }).countParameters();
    expect(internVit(config).countParameters()).toBe(plain + 2 * 8);
    expect(internVit({ ...config, qkNorm: false, qkvBias: true }).countParameters()).toBe(plain + 3 * 8);
    expect(internVit({ ...config, qkNorm: false, postNorm: true }).countParameters()).toBe(plain + 2 * 8);
    expect(internVit({ ...config, qkNorm: false, norm: 'layer' }).countParameters()).toBe(plain + 2 * 8);
  });
});
