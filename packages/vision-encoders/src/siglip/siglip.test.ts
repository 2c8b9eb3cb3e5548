import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { compareTensors, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { asRows, type GoldenCase, openCase } from '../testing/golden';
import { hiddenOutputs, wrongOutputs } from '../testing/outputs';
import { keysOf } from '../testing/saved';
import { isKeyBias, unnoticed } from '../testing/zeroing';
import { SiglipModel, siglip, siglipModelNames, siglipText } from './index';

let golden: GoldenCase;

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  golden = await openCase('siglip/base');
});

/** The case's model, from its own config.json and weights. */
async function load(): Promise<SiglipModel> {
  const visionConfig = siglip.checkpoint.config(golden.config);
  const text = siglipText(siglipText.checkpoint.config(golden.config));
  const model = new SiglipModel({ vision: siglip(visionConfig), text });
  await loadWeights(model, golden.weights, siglipModelNames(visionConfig));
  return model;
}

/** Compares everything that both towers give; a message for each golden tensor that is not met. */
async function differences(model: SiglipModel): Promise<string[]> {
  const vision = model.vision as ReturnType<typeof siglip>;
  const batch = golden.images('in.pixels');
  const last = golden.tensor('out.last');
  const outputs = tf.tidy(() => {
    const image = model.imageEmbeddings(batch);
    const text = model.textEmbeddings(golden.ids('in.ids'));
    return {
      ...hiddenOutputs(vision.hiddenStates(batch)),
      'out.last': tf.reshape(vision.encode(batch).features, [...last.shape]),
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

describe('SigLIP, case base', () => {
  it('equals Hugging Face in every hidden state, embedding and logit', async () => {
    await expectNoLeak(async () => {
      const model = await load();
      expect(await differences(model)).toEqual([]);
      model.dispose();
    });
  });

  it('has the very names of the file', async () => {
    const model = await load();
    const names = siglipModelNames(siglip.checkpoint.config(golden.config));
    expect(new Set(keysOf(model, names))).toEqual(new Set(golden.weights.keys()));
    model.dispose();
  });

  it('would show any parameter that is left out', async () => {
    const model = await load();
    const unseen = await unnoticed(model, async () => (await differences(model)).length > 0);
    expect(unseen.filter((path) => !isKeyBias(path))).toEqual([]);
    expect(await differences(model)).toEqual([]);
    model.dispose();
  });

  it('would show one changed value', async () => {
    const model = await load();
    const weight = model.parameter('vision.head.attention.vProj.weight');
    const values = await weight.read();
    values[7] += 0.1;
    weight.assign(values);
    expect(await differences(model)).not.toEqual([]);
    model.dispose();
  });

  it('interpolates positions for pictures of another size; a tower without head is loaded', async () => {
    const [, , height, width] = golden.tensor('in.pixels_large').shape;
    const config = siglip.checkpoint.config(golden.config);
    const encoder = siglip({ ...config, inputSize: { height, width }, poolingHead: false });
    await loadWeights(encoder, golden.weights, siglip.checkpoint.names(config));
    const batch = golden.images('in.pixels_large');
    const { features, images } = encoder.encode(batch);
    const expected = asRows(golden.tensor('out.large_last'));
    expect(await compareTensors(features, expected, golden)).toMatchObject({ ok: true });
    expect(images[0].views[0]).toMatchObject({ count: 20, grid: { rows: 4, columns: 5 } });
    const [pooled, mean] = [encoder.pooled(batch), tf.mean(features, 0, true)];
    expect(await compareTensors(pooled, mean, { tolerance: 1e-5 })).toMatchObject({ ok: true });
    tf.dispose([features, batch.pixels, pooled, mean]);
    encoder.dispose();
  });
});

describe('siglip', () => {
  const so400m = {
    imageSize: 384,
    patchSize: 14,
    hiddenSize: 1152,
    numLayers: 27,
    numHeads: 16,
    intermediateSize: 4304,
  };

  it('has the published sizes, shape-only', () => {
    const before = tf.memory().numTensors;
    expect(siglip(so400m).countParameters()).toBe(428_225_600);
    expect(siglip({ ...so400m, poolingHead: false }).countParameters()).toBe(412_987_248);
    expect(siglip({ ...so400m, imageSize: 224 }).countParameters()).toBe(427_680_704);
    const { imageSize, patchSize, ...block } = so400m;
    const text = siglipText({ ...block, vocabSize: 32_000, maxLength: 64 });
    expect(new SiglipModel({ vision: siglip(so400m), text }).countParameters()).toBe(877_960_498);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('drops the 6 pixels of 384 that fill no patch', () => {
    const view = { role: 'image', height: 384, width: 384 } as const;
    const [{ views }] = siglip(so400m).layout([{ views: [view], original: view }]);
    expect(views[0]).toMatchObject({ count: 729, grid: { rows: 27, columns: 27 } });
  });

  it('has no class token to keep', () => {
    const config = { ...so400m, features: { classToken: 'keep' } };
    expect(() => siglip(config as Parameters<typeof siglip>[0])).toThrow(ConfigError);
  });

  it('says how pictures are prepared', () => {
    expect(siglip(so400m).preprocessing).toEqual({
      kind: 'fixed',
      size: { height: 384, width: 384 },
      fit: 'stretch',
      resample: 'bicubic',
      rescale: 1 / 255,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    });
  });
});

describe('siglipText', () => {
  const config = { vocabSize: 10, maxLength: 4, hiddenSize: 4, numLayers: 1, numHeads: 2 };
  const encode = (data: number[], end?: number) => {
    const tower = siglipText(config);
    tower.initialize({ seed: 5 });
    const ids = { data: Int32Array.from(data), shape: [1, data.length] as const };
    const result = tower.encode(ids, end === undefined ? undefined : Int32Array.of(end));
    tower.dispose();
    return result;
  };

  it('counts padding as text, unless told where it begins', async () => {
    const [one, two] = [encode([4, 5, 1, 1]), encode([4, 5, 2, 1])];
    expect(await compareTensors(one, two, { tolerance: 1e-6 })).toMatchObject({ ok: false });
    const [short, padded, other] = [encode([4, 5]), encode([4, 5, 1, 1], 2), encode([4, 5, 2, 1], 2)];
    expect(await compareTensors(short, padded, { tolerance: 1e-6 })).toMatchObject({ ok: true });
    expect(await compareTensors(short, other, { tolerance: 1e-6 })).toMatchObject({ ok: true });
    tf.dispose([one, two, short, padded, other]);
  });
});

describe('SiglipModel', () => {
  it('wants towers of one width', () => {
    const vision = siglip({ imageSize: 8, patchSize: 8, hiddenSize: 4, numLayers: 1, numHeads: 1 });
    const block = { vocabSize: 10, maxLength: 4, hiddenSize: 6, numLayers: 1, numHeads: 2 };
    expect(() => new SiglipModel({ vision, text: siglipText(block) })).toThrow(ShapeError);
    const model = new SiglipModel({ vision, text: siglipText({ ...block, projectionSize: 4 }) });
    model.initialize();
    expect(model.logitScale.value.dataSync()[0]).toBeCloseTo(Math.log(10));
    expect(model.logitBias.value.dataSync()[0]).toBe(-10);
    model.dispose();
  });
});
