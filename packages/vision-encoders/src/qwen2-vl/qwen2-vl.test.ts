import { startBackend } from '@mmllm/backends';
import { loadWeights } from '@mmllm/checkpoints';
import { compareTensors, expectNoLeak } from '@mmllm/conformance';
import { ConfigError, disposeImages, type ImageTokens, type PackedImages, ShapeError } from '@mmllm/core';
import { activate } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { FileTensors } from '../testing/file-tensors';
import { type GoldenCase, openCase } from '../testing/golden';
import { seesOthers, wrongStates } from '../testing/packed';
import { savedOtherwise } from '../testing/saved';
import { isKeyBias, unnoticed } from '../testing/zeroing';
import { blockOrder, fromPixelValues, type PackedTransformer, qwen2Vl } from './index';

let golden: GoldenCase;

beforeAll(async () => {
  await startBackend({ backend: 'wasm' });
  golden = await openCase('qwen2-vl/base');
});

const config = (from = golden) => qwen2Vl.checkpoint.config(from.config);

async function load(from = golden): Promise<PackedTransformer> {
  const encoder = qwen2Vl(config(from));
  await loadWeights(encoder, from.weights, qwen2Vl.checkpoint.names(config(from)));
  return encoder;
}

function pictures(from = golden): PackedImages {
  const { patchSize = 14, framesPerPatch = 2, mergeSize = 2 } = config(from);
  const grids = Int32Array.from(from.tensor('in.image_grid_thw').data);
  return fromPixelValues(
    { ...from.tensor('in.pixel_values'), grids },
    { patchSize, framesPerPatch, mergeSize },
  );
}

/** Which of our tokens stands at each place of the published order. */
const publishedOrder = (images: readonly ImageTokens[]): number[] =>
  images
    .flatMap(({ views }) => views)
    .flatMap(({ start, grid }) => [...blockOrder(grid!, 2)].map((place) => start + place));

/** The merger in plain ops, from the case's weights: float32[rows, D] to float32[rows / 4, width]. */
async function merged(encoder: PackedTransformer, batch: PackedImages): Promise<tf.Tensor2D> {
  const file = await FileTensors.open(golden.weights, 'visual.merger.');
  const result = tf.tidy(() => {
    const { features, images } = encoder.encode(batch);
    const ordered = tf.gather(features, publishedOrder(images));
    const normed = file.norm(ordered, 'ln_q', 1e-6);
    const blocks = tf.reshape<tf.Rank.R2>(normed, [-1, 4 * features.shape[1]]);
    return file.linear(activate(file.linear(blocks, 'mlp.0'), 'gelu'), 'mlp.2');
  });
  file.dispose();
  return result;
}

async function difference(encoder: PackedTransformer): Promise<string> {
  const batch = pictures();
  const features = await merged(encoder, batch);
  const { ok, message } = await compareTensors(features, golden.tensor('out.features'), golden);
  disposeImages(batch);
  features.dispose();
  return ok ? '' : message;
}

describe('Qwen2-VL, case base', () => {
  it('gives what the merger needs for the features that enter the decoder', async () => {
    await expectNoLeak(async () => {
      const encoder = await load();
      expect(await difference(encoder)).toBe('');
      encoder.dispose();
    });
  });

  it('would show any parameter that is left out', async () => {
    const encoder = await load();
    const unseen = await unnoticed(encoder, async () => (await difference(encoder)) !== '');
    expect(unseen.filter((path) => !isKeyBias(path))).toEqual([]);
    expect(await difference(encoder)).toBe('');
    encoder.dispose();
  });

  it('saves what it loaded', async () => {
    const encoder = await load();
    const names = qwen2Vl.checkpoint.names(config());
    expect(
      await savedOtherwise(encoder, names, golden.weights, (key) => /^visual\.(?!merger)/.test(key)),
    ).toEqual([]);
    encoder.dispose();
  });

  it('sees each picture alone, as if there were no other', async () => {
    const encoder = await load();
    const batch = pictures();
    expect(await seesOthers(encoder, batch)).toEqual([]);
    disposeImages(batch);
    encoder.dispose();
  });

  it('gives features of any layers, and never runs those behind', async () => {
    const encoder = qwen2Vl({ ...config(), features: { layers: [0, 1] } });
    await loadWeights(encoder, golden.weights, qwen2Vl.checkpoint.names(config()));
    encoder.layers[config().numLayers - 1].dispose();
    const batch = pictures();
    const { features } = encoder.encode(batch);
    expect(features.shape).toEqual([batch.patches.shape[0], 2 * config().hiddenSize]);
    features.dispose();
    disposeImages(batch);
    encoder.dispose();
  });
});

describe('Qwen2-VL, case video', () => {
  it('equals transformers in every hidden state, of frames and of a picture among them', async () => {
    await expectNoLeak(async () => {
      const video = await openCase('qwen2-vl-vision/video');
      const encoder = await load(video);
      const batch = pictures(video);
      const order = publishedOrder(encoder.layout(batch.images));
      expect(await wrongStates(encoder, batch, video, order)).toEqual([]);
      // In their own order they are others: the case would show it.
      expect(await wrongStates(encoder, batch, video)).not.toEqual([]);
      expect(await seesOthers(encoder, batch)).toEqual([]);
      disposeImages(batch);
      encoder.dispose();
    });
  });
});

describe('qwen2Vl', () => {
  it.each([
    ['2B', 1536, 665_271_296],
    ['7B', 3584, 675_759_104],
    ['72B', 8192, 699_356_672],
  ])('has the published size of the %s model, shape-only', (_, width, visual) => {
    const encoder = qwen2Vl(qwen2Vl.checkpoint.config({ vision_config: { hidden_size: width } }));
    const merger = 2 * 1280 + 5120 * 5120 + 5120 + 5120 * width + width;
    expect(encoder.countParameters()).toBe(visual - merger);
  });

  it('takes the frames of a video as views that do not see each other', () => {
    const tiny = { hiddenSize: 8, numLayers: 1, numHeads: 2, patchSize: 2 };
    const grids = Int32Array.of(3, 2, 4);
    const data = new Float32Array(24 * 24);
    const batch = fromPixelValues(
      { data, shape: [24, 24], grids },
      { patchSize: 2, framesPerPatch: 2, mergeSize: 2 },
    );
    const [tokens] = qwen2Vl(tiny).layout(batch.images);
    expect(tokens.views.map(({ role, start, count }) => [role, start, count])).toEqual([
      ['frame', 0, 8],
      ['frame', 8, 8],
      ['frame', 16, 8],
    ]);
    disposeImages(batch);
  });

  it('knows the order of the published code', () => {
    expect([...blockOrder({ frames: 1, rows: 2, columns: 4 }, 2)]).toEqual([0, 1, 4, 5, 2, 3, 6, 7]);
    expect([...blockOrder({ frames: 2, rows: 2, columns: 2 }, 2)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(() => blockOrder({ frames: 1, rows: 3, columns: 4 }, 2)).toThrow(ShapeError);
  });

  it('brings patches into rows and pixels into channels', () => {
    // One patch of two frames, each one pixel: (channel, frame) becomes (frame, channel).
    const data = Float32Array.from([1, 2, 3, 4, 5, 6]);
    const sizes = { patchSize: 1, framesPerPatch: 2, mergeSize: 1 };
    const batch = fromPixelValues({ data, shape: [1, 6], grids: Int32Array.of(1, 1, 1) }, sizes);
    expect([...batch.patches.dataSync()]).toEqual([1, 3, 5, 2, 4, 6]);
    disposeImages(batch);
  });

  it.each([
    ['more patches', [1, 1, 2], [1, 6], 6, 1],
    ['a longer patch', [1, 1, 1], [1, 12], 12, 1],
    ['other values than its shape says', [1, 1, 1], [1, 6], 12, 1],
    ['half a grid', [1, 1], [1, 6], 6, 1],
    ['an empty grid', [0, 1, 1], [0, 6], 0, 1],
    ['blocks that are not whole', [1, 1, 2], [2, 6], 12, 2],
  ])('refuses %s', (_, grids, shape, length, mergeSize) => {
    const values = { data: new Float32Array(length), shape, grids: Int32Array.from(grids) };
    const sizes = { patchSize: 1, framesPerPatch: 2, mergeSize };
    expect(() => fromPixelValues(values, sizes)).toThrow(ShapeError);
  });

  it('refuses what does not fit', () => {
    const tiny = { hiddenSize: 8, numLayers: 1, numHeads: 2, patchSize: 2 };
    const encoder = qwen2Vl(tiny);
    const view = (height: number, width: number) => [
      { views: [{ role: 'image', height, width } as const], original: { height, width } },
    ];
    expect(() => encoder.layout(view(4, 6))).toThrow(ShapeError);
    const patches = tf.zeros<tf.Rank.R2>([4, 12]);
    expect(() => encoder.encode({ kind: 'packed', images: view(4, 4), patches })).toThrow(ShapeError);
    patches.dispose();
    expect(() => qwen2Vl({ ...tiny, numHeads: 4 })).toThrow(ConfigError);
    expect(() => qwen2Vl({ ...tiny, features: { layers: [2] } })).toThrow(ConfigError);
    expect(() => qwen2Vl.checkpoint.config({ in_channels: 1 })).toThrow(ConfigError);
  });
});
