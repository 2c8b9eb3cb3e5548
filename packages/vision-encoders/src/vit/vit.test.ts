import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { compareTensors, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { asRows, type GoldenCase, openCase } from '../testing/golden';
import { hiddenOutputs, wrongOutputs } from '../testing/outputs';
import { keysOf } from '../testing/saved';
import { isKeyBias, unnoticed } from '../testing/zeroing';
import { type VisionTransformer, type VitConfig, vit } from './index';

let golden: GoldenCase;
const features = { classToken: 'keep' } as const;

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  golden = await openCase('vit/h14-layout');
});

/** The case's model, from its own config.json and weights, with all its tokens as features. */
async function load(changes: Partial<VitConfig> = {}): Promise<VisionTransformer> {
  const config = { ...vit.checkpoint.config(golden.config), features, ...changes };
  const encoder = vit(config);
  await loadWeights(encoder, golden.weights, vit.checkpoint.names(config));
  return encoder;
}

/** Compares everything that the tower gives; a message for each golden tensor that is not met. */
async function differences(encoder: VisionTransformer): Promise<string[]> {
  const batch = golden.images('in.pixels');
  const last = golden.tensor('out.last');
  const outputs = tf.tidy(() => ({
    ...hiddenOutputs(encoder.hiddenStates(batch)),
    'out.last': tf.reshape(encoder.encode(batch).features, [...last.shape]),
    'out.pooled': encoder.pooled(batch),
  }));
  const wrong = await wrongOutputs(golden, outputs);
  tf.dispose([batch.pixels, outputs]);
  return wrong;
}

describe('ViT, case h14-layout', () => {
  it('equals Hugging Face in every hidden state and the pooler', async () => {
    await expectNoLeak(async () => {
      const encoder = await load();
      expect(await differences(encoder)).toEqual([]);
      encoder.dispose();
    });
  });

  it('has the very names of the file', async () => {
    const encoder = await load();
    const names = vit.checkpoint.names(vit.checkpoint.config(golden.config));
    expect(new Set(keysOf(encoder, names))).toEqual(new Set(golden.weights.keys()));
    encoder.dispose();
  });

  it('would show any parameter that is left out', async () => {
    const encoder = await load();
    const unseen = await unnoticed(encoder, async () => (await differences(encoder)).length > 0);
    expect(unseen.filter((path) => !isKeyBias(path))).toEqual([]);
    encoder.dispose();
  });

  it('interpolates positions for pictures of another size', async () => {
    const [, , height, width] = golden.tensor('in.pixels_large').shape;
    const encoder = await load({ inputSize: { height, width } });
    const batch = golden.images('in.pixels_large');
    const encoded = encoder.encode(batch);
    const expected = asRows(golden.tensor('out.large_last'));
    expect(await compareTensors(encoded.features, expected, golden)).toMatchObject({ ok: true });
    tf.dispose([encoded.features, batch.pixels]);
    encoder.dispose();
  });

  it('pools the class token itself without a pooler', async () => {
    const encoder = await load({ pooler: false });
    const batch = golden.images('in.pixels');
    const { shape, data } = golden.tensor('out.last');
    const [pictures, tokens, width] = shape;
    const expected = tf.tidy(() =>
      tf.reshape(tf.slice(tf.tensor3d(data, [pictures, tokens, width]), [0, 0, 0], [-1, 1, -1]), [-1, width]),
    );
    const pooled = encoder.pooled(batch);
    expect(await compareTensors(pooled, expected, golden)).toMatchObject({ ok: true });
    tf.dispose([pooled, expected, batch.pixels]);
    encoder.dispose();
  });
});

describe('vit', () => {
  it('has the published sizes, shape-only', () => {
    const huge = { imageSize: 224, patchSize: 14, hiddenSize: 1280, numLayers: 32, numHeads: 16 };
    expect(vit(huge).countParameters()).toBe(630_764_800);
    expect(vit({ ...huge, pooler: true }).countParameters()).toBe(632_404_480);
  });

  it('says how pictures are prepared', () => {
    const config = { imageSize: 16, patchSize: 8, hiddenSize: 4, numLayers: 1, numHeads: 1 };
    expect(vit(config).preprocessing).toMatchObject({
      kind: 'fixed',
      fit: 'stretch',
      resample: 'bilinear',
      mean: [0.5, 0.5, 0.5],
    });
  });
});
