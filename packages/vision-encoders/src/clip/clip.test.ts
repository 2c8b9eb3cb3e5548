import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { compareTensors, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, ContextLengthError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { asRows, type GoldenCase, openCase } from '../testing/golden';
import { hiddenOutputs, wrongOutputs } from '../testing/outputs';
import { keysOf } from '../testing/saved';
import { isKeyBias, unnoticed } from '../testing/zeroing';
import { ClipModel, clip, clipModelNames, clipText } from './index';

const cases = ['quick-gelu', 'open-clip-gelu'];
const tinyText = { vocabSize: 10, maxLength: 4, hiddenSize: 4, numLayers: 1, numHeads: 2 };

beforeAll(() => startBackend({ backend: 'wasm' }));

/** The case's model, from its own config.json and weights. */
async function load({ config, weights }: GoldenCase): Promise<ClipModel> {
  const visionConfig = clip.checkpoint.config(config);
  const { projection_dim: projectionSize } = config as { projection_dim: number };
  const text = clipText(clipText.checkpoint.config(config));
  const model = new ClipModel({ vision: clip(visionConfig), text, projectionSize });
  await loadWeights(model, weights, clipModelNames(visionConfig));
  return model;
}

/** Compares everything that both towers give; a message for each golden tensor that is not met. */
async function differences(model: ClipModel, golden: GoldenCase): Promise<string[]> {
  const vision = model.vision as ReturnType<typeof clip>;
  const batch = golden.images('in.pixels');
  const outputs = tf.tidy(() => {
    const states = vision.hiddenStates(batch);
    const image = model.imageEmbeddings(batch);
    const text = model.textEmbeddings(golden.ids('in.ids'));
    return {
      ...hiddenOutputs(states),
      'out.last': states[states.length - 1],
      'out.pooled': vision.pooled(batch),
      'out.image_embeds': image,
      'out.text_embeds': text,
      'out.logits_per_image': model.logits(image, text),
    };
  });
  const wrong = await wrongOutputs(golden, outputs);
  tf.dispose([batch.pixels, outputs]);
  return wrong;
}

describe.each(cases)('CLIP, case %s', (variant) => {
  let golden: GoldenCase;
  beforeAll(async () => {
    golden = await openCase(`clip/${variant}`);
  });

  it('equals Hugging Face in every hidden state, embedding and logit', async () => {
    await expectNoLeak(async () => {
      const model = await load(golden);
      expect(await differences(model, golden)).toEqual([]);
      model.dispose();
    });
  });

  it('has the very names of the file', async () => {
    const model = await load(golden);
    const names = clipModelNames(clip.checkpoint.config(golden.config));
    expect(new Set(keysOf(model, names))).toEqual(new Set(golden.weights.keys()));
    model.dispose();
  });

  it('would show any parameter that is left out', async () => {
    const model = await load(golden);
    const unseen = await unnoticed(model, async () => (await differences(model, golden)).length > 0);
    expect(unseen.filter((path) => !isKeyBias(path))).toEqual([]);
    expect(await differences(model, golden)).toEqual([]);
    model.dispose();
  });

  it('would show one changed value', async () => {
    const model = await load(golden);
    const weight = model.parameter('vision.layers.1.mlp.fc1.weight');
    const values = await weight.read();
    values[7] += 0.1;
    weight.assign(values);
    expect(await differences(model, golden)).not.toEqual([]);
    model.dispose();
  });

  it('interpolates positions for pictures of another size', async () => {
    const [, , height, width] = golden.tensor('in.pixels_large').shape;
    const config = clip.checkpoint.config(golden.config);
    const features = { layers: [-1], classToken: 'keep' as const };
    const encoder = clip({ ...config, inputSize: { height, width }, features });
    await loadWeights(encoder, golden.weights, clip.checkpoint.names(config));
    const batch = golden.images('in.pixels_large');
    const encoded = encoder.encode(batch);
    const expected = asRows(golden.tensor('out.large_last'));
    expect(await compareTensors(encoded.features, expected, golden)).toMatchObject({ ok: true });
    tf.dispose([encoded.features, batch.pixels]);
    encoder.dispose();
  });

  it("gives LLaVA's features by default, and never runs the last block for them", async () => {
    const config = clip.checkpoint.config(golden.config);
    const encoder = clip(config);
    await loadWeights(encoder, golden.weights, clip.checkpoint.names(config));
    // Any use of the block would now throw.
    encoder.layers[config.numLayers - 1].dispose();
    encoder.postNorm?.dispose();
    const batch = golden.images('in.pixels');
    const { features, images } = encoder.encode(batch);
    const { shape, data } = golden.tensor(`out.hidden.${config.numLayers - 1}`);
    const [batchSize, tokens, width] = shape;
    const patches = tf.tidy(() =>
      tf.reshape(tf.slice(tf.tensor3d(data, [batchSize, tokens, width]), [0, 1, 0], [-1, -1, -1]), [
        -1,
        width,
      ]),
    );
    expect(await compareTensors(features, patches, golden)).toMatchObject({ ok: true });
    const side = Math.sqrt(tokens - 1);
    expect(images.flatMap(({ views }) => views)).toEqual(
      images.map((_, i) => ({
        role: 'image',
        start: i * (tokens - 1),
        count: tokens - 1,
        prefix: 0,
        grid: { frames: 1, rows: side, columns: side },
      })),
    );
    tf.dispose([features, patches, batch.pixels]);
    encoder.dispose();
  });
});

describe('clip', () => {
  const large = { patchSize: 14, hiddenSize: 1024, numLayers: 24, numHeads: 16 };

  it('has the published sizes, shape-only', () => {
    const before = tf.memory().numTensors;
    expect(clip({ ...large, imageSize: 224 }).countParameters()).toBe(303_179_776);
    expect(clip({ ...large, imageSize: 336 }).countParameters()).toBe(303_507_456);
    const huge = { imageSize: 224, patchSize: 14, hiddenSize: 1280, numLayers: 32, numHeads: 16 };
    expect(clip({ ...huge, activation: 'gelu' }).countParameters()).toBe(630_766_080);
    const text = clipText({ vocabSize: 49_408, maxLength: 77, hiddenSize: 768, numLayers: 12, numHeads: 12 });
    expect(text.countParameters()).toBe(123_060_480);
    const model = new ClipModel({ vision: clip({ ...large, imageSize: 336 }), text });
    expect(model.countParameters()).toBe(427_944_193);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says how pictures are prepared', () => {
    const config = { imageSize: 16, patchSize: 8, hiddenSize: 4, numLayers: 1, numHeads: 1 };
    expect(clip(config).preprocessing).toEqual({
      kind: 'fixed',
      size: { height: 16, width: 16 },
      fit: 'crop',
      resample: 'bicubic',
      rescale: 1 / 255,
      mean: [0.48145466, 0.4578275, 0.40821073],
      std: [0.26862954, 0.26130258, 0.27577711],
    });
    expect(clip({ ...config, tiling: { maxTiles: 6 } }).preprocessing).toMatchObject({
      kind: 'tiles',
      tileSize: 16,
      minTiles: 1,
      maxTiles: 6,
      thumbnail: 'last',
      resample: 'bicubic',
    });
  });

  it('reads config.json, with the defaults of the class', () => {
    expect(clip.checkpoint.config({ vision_config: { patch_size: 14, hidden_act: 'gelu_new' } })).toEqual({
      imageSize: 224,
      patchSize: 14,
      hiddenSize: 768,
      numLayers: 12,
      numHeads: 12,
      intermediateSize: 3072,
      activation: 'gelu_tanh',
      layerNormEps: 1e-5,
    });
    expect(() => clip.checkpoint.config({ hidden_act: 'mish' })).toThrow(ConfigError);
    const llava = {
      vision_config: {},
      vision_feature_layer: [-2, 3],
      vision_feature_select_strategy: 'full',
    };
    expect(clip.checkpoint.config(llava).features).toEqual({ layers: [-2, 3], classToken: 'keep' });
    expect(clip.checkpoint.config({ vision_feature_layer: -1 }).features).toEqual({ layers: [-1] });
    expect(() => clip.checkpoint.config({ vision_feature_select_strategy: 'cls' })).toThrow(ConfigError);
    expect(() => clip.checkpoint.config([])).toThrow(ConfigError);
  });
});

describe('clipText', () => {
  const pooled = (config: Parameters<typeof clipText>[0], data: number[], end?: Int32Array) => {
    const tower = clipText(config);
    tower.initialize({ seed: 5 });
    const result = tower.encode({ data: Int32Array.from(data), shape: [1, data.length] }, end);
    tower.dispose();
    return result;
  };

  it.each([
    ['an id', 3, { ...tinyText, eosTokenId: 3 }, undefined],
    ['the highest id', 9, { ...tinyText, eosTokenId: 'highest' as const }, undefined],
    ['the last real token', 3, tinyText, Int32Array.of(3)],
  ])('is taken at %s, whatever follows', async (_, eos, config, end) => {
    const [first, second] = [pooled(config, [4, 5, eos, 1], end), pooled(config, [4, 5, eos, 2], end)];
    const [shorter, other] = [pooled(config, [4, 5, eos]), pooled(config, [4, 6, eos, 1], end)];
    expect(await compareTensors(first, second, { tolerance: 0 })).toMatchObject({ ok: true });
    expect(await compareTensors(first, shorter, { tolerance: 1e-6 })).toMatchObject({ ok: true });
    expect(await compareTensors(first, other, { tolerance: 1e-6 })).toMatchObject({ ok: false });
    tf.dispose([first, second, shorter, other]);
  });

  it('refuses a text without end, a text that is too long, and an id outside the vocabulary', () => {
    expect(() => pooled({ ...tinyText, eosTokenId: 3 }, [4, 5])).toThrow(ConfigError);
    expect(() => pooled(tinyText, [1, 2, 3, 4, 5])).toThrow(ContextLengthError);
    expect(() => pooled(tinyText, [10])).toThrow(ConfigError);
  });
});

describe('ClipModel', () => {
  it('wants one view for each picture', () => {
    const vision = clip({
      imageSize: 8,
      patchSize: 8,
      hiddenSize: 4,
      numLayers: 1,
      numHeads: 1,
      tiling: { maxTiles: 2 },
    });
    const model = new ClipModel({ vision, text: clipText(tinyText) });
    model.initialize();
    const pixels = tf.zeros<tf.Rank.R4>([2, 8, 8, 3]);
    const view = { role: 'tile', height: 8, width: 8 } as const;
    const images = [{ views: [view, view], original: { height: 8, width: 16 } }];
    expect(() => model.imageEmbeddings({ kind: 'dense', images, pixels })).toThrow(ShapeError);
    pixels.dispose();
    model.dispose();
  });
});
