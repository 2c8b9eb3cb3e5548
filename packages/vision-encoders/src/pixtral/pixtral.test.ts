import { startBackend } from '@mmllm/backends';
import { loadWeights, saveWeights } from '@mmllm/checkpoints';
import { compareTensors, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, disposeImages, type PackedImages, ShapeError } from '@mmllm/core';
import { activate } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { FileTensors } from '../testing/file-tensors';
import { type GoldenCase, type GoldenTensor, memoryWeights, openCase } from '../testing/golden';
import { seesOthers, wrongStates } from '../testing/packed';
import { savedOtherwise } from '../testing/saved';
import { unnoticed } from '../testing/zeroing';
import { fromPaddedPixels, type PackedTransformer, pixtral, pixtralOriginalNames } from './index';

let golden: GoldenCase;

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  golden = await openCase('pixtral/base');
});

const config = (from = golden) => pixtral.checkpoint.config(from.config);

async function load(from = golden): Promise<PackedTransformer> {
  const encoder = pixtral(config(from));
  await loadWeights(encoder, from.weights, pixtral.checkpoint.names(config(from)));
  return encoder;
}

function pictures(from = golden): PackedImages {
  const sizes = Int32Array.from(from.tensor('in.image_sizes').data);
  return fromPaddedPixels({ ...from.tensor('in.pixel_values'), sizes }, config(from).patchSize!);
}

/** The projector in plain ops, from the case's weights. */
async function projected(features: tf.Tensor2D): Promise<tf.Tensor2D> {
  const file = await FileTensors.open(golden.weights, 'multi_modal_projector.');
  const result = tf.tidy(() => file.linear(activate(file.linear(features, 'linear_1'), 'gelu'), 'linear_2'));
  file.dispose();
  return result;
}

async function difference(encoder: PackedTransformer): Promise<string> {
  const batch = pictures();
  const { features } = encoder.encode(batch);
  const entering = await projected(features);
  const { ok, message } = await compareTensors(entering, golden.tensor('out.features'), golden);
  tf.dispose([features, entering]);
  disposeImages(batch);
  return ok ? '' : message;
}

describe('Pixtral, case base', () => {
  it('gives what the projector needs for the features that enter the decoder', async () => {
    await expectNoLeak(async () => {
      const encoder = await load();
      expect(await difference(encoder)).toBe('');
      encoder.dispose();
    });
  });

  it('would show any parameter that is left out', async () => {
    const encoder = await load();
    expect(await unnoticed(encoder, async () => (await difference(encoder)) !== '')).toEqual([]);
    expect(await difference(encoder)).toBe('');
    encoder.dispose();
  });

  it('saves what it loaded', async () => {
    const encoder = await load();
    const names = pixtral.checkpoint.names(config());
    expect(
      await savedOtherwise(encoder, names, golden.weights, (key) => key.startsWith('vision_tower.')),
    ).toEqual([]);
    encoder.dispose();
  });

  it("loads Mistral's own files, whose rotation turns neighbours", async () => {
    const encoder = await load();
    const names = pixtralOriginalNames(config());
    const tensors = new Map<string, GoldenTensor>();
    for (const [key, { shape, read }] of saveWeights(encoder, names)) {
      tensors.set(key, { shape, data: new Float32Array((await read()).buffer.slice(0)) });
    }
    // Rows 2i and 2i + 1 of a head are i and i + D / 2 in transformers' file.
    const wq = tensors.get('vision_encoder.transformer.layers.1.attention.wq.weight')!;
    const theirs = await golden.weights.read('vision_tower.transformer.layers.1.attention.q_proj.weight');
    const { hiddenSize, numHeads } = config();
    const headSize = wq.shape[0] / numHeads;
    const row = (values: Float32Array, i: number) => values.subarray(i * hiddenSize, (i + 1) * hiddenSize);
    for (const pair of [0, 1, headSize / 2 - 1]) {
      expect(row(wq.data, headSize + 2 * pair)).toEqual(row(theirs, headSize + pair));
      expect(row(wq.data, headSize + 2 * pair + 1)).toEqual(row(theirs, headSize + pair + headSize / 2));
    }
    const again = pixtral(config());
    await loadWeights(again, memoryWeights(tensors), names);
    expect(await difference(again)).toBe('');
    encoder.dispose();
    again.dispose();
  });

  it('sees each picture alone, as if there were no other', async () => {
    const encoder = await load();
    const batch = pictures();
    expect(await seesOthers(encoder, batch)).toEqual([]);
    disposeImages(batch);
    encoder.dispose();
  });
});

describe('Pixtral, case gelu', () => {
  it('equals transformers in every hidden state', async () => {
    await expectNoLeak(async () => {
      const gelu = await openCase('pixtral-vision/gelu');
      const encoder = await load(gelu);
      const batch = pictures(gelu);
      expect(await wrongStates(encoder, batch, gelu)).toEqual([]);
      expect(await seesOthers(encoder, batch)).toEqual([]);
      disposeImages(batch);
      encoder.dispose();
    });
  });
});

describe('pixtral', () => {
  it('has the published size, shape-only', () => {
    expect(pixtral(pixtral.checkpoint.config({ hidden_act: 'silu' })).countParameters()).toBe(403_489_792);
  });

  it('reads the configuration, with the defaults of the class', () => {
    expect(pixtral.checkpoint.config({})).toMatchObject({
      activation: 'gelu',
      imageSize: 1024,
      patchSize: 16,
    });
    const { ropeTheta } = pixtral.checkpoint.config({
      rope_parameters: { rope_theta: 500, rope_type: 'default' },
    });
    expect(ropeTheta).toBe(500);
    expect(() => pixtral.checkpoint.config({ rope_parameters: { rope_type: 'yarn' } })).toThrow(ConfigError);
  });

  it('reads what a whole model says of its features and blocks', () => {
    const whole = {
      vision_config: { image_size: [64, 64] },
      vision_feature_layer: -2,
      spatial_merge_size: 2,
    };
    expect(pixtral.checkpoint.config(whole)).toMatchObject({
      imageSize: 64,
      mergeSize: 2,
      features: { layers: [-2] },
    });
    const joined = pixtral.checkpoint.config({ vision_feature_layer: [-1, 3] });
    expect(joined.features).toEqual({ layers: [-1, 3] });
    expect(() => pixtral.checkpoint.config({ image_size: [64, 32] })).toThrow(ConfigError);
  });

  it("reads the params.json of Mistral's own files, whose gates are SiLU", () => {
    const vision_encoder = {
      hidden_size: 1024,
      num_channels: 3,
      image_size: 1024,
      patch_size: 16,
      rope_theta: 500,
      intermediate_size: 4096,
      num_hidden_layers: 24,
      num_attention_heads: 16,
      image_token_id: 10,
    };
    const theirs = pixtral.checkpoint.config({ dim: 5120, n_layers: 40, vision_encoder });
    expect(theirs).toMatchObject({ activation: 'silu', ropeTheta: 500, mergeSize: 1 });
    expect(pixtral(theirs).countParameters()).toBe(403_489_792);
    const damaged = { ...vision_encoder, patch_size: undefined };
    expect(() => pixtral.checkpoint.config({ vision_encoder: damaged })).toThrow(ConfigError);
  });

  it('refuses pictures that fit no patches or are longer than its positions', () => {
    const encoder = pixtral({ hiddenSize: 8, numLayers: 1, numHeads: 2, imageSize: 32, patchSize: 8 });
    const layout = (height: number, width: number) =>
      encoder.layout([{ views: [{ role: 'image', height, width }], original: { height, width } }]);
    expect(layout(8, 32)[0].views[0].grid).toEqual({ frames: 1, rows: 1, columns: 4 });
    expect(() => layout(12, 32)).toThrow(ShapeError);
    expect(() => layout(8, 40)).toThrow(ShapeError);
  });

  it.each([
    ['larger than the pixels', [1, 3, 8, 8], [8, 16], 192],
    ['without a size', [1, 3, 8, 8], [8], 192],
    ['of four channels', [1, 4, 8, 8], [8, 8], 256],
    ['with other values than its shape says', [1, 3, 8, 8], [8, 8], 191],
  ])('refuses a picture %s', (_, shape, sizes, length) => {
    const padded = { data: new Float32Array(length), shape, sizes: Int32Array.from(sizes) };
    expect(() => fromPaddedPixels(padded, 8)).toThrow(ShapeError);
  });
});
