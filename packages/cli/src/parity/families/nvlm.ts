import type { JsonObject } from '@mmllm/checkpoints';
import { type DecoderInputs, type ImageBatch, type ImageFeatures, type ImageView, rowsOf } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../case';
import { densePictures } from './pictures';
import { compareTextAlone, type Whole, wholeModel } from './whole';

/** Tokens of the cases of NVLM-X and NVLM-H, which their configuration does not name: `<Image>`, `<tile_`, `>`, 0. */
const START = 9;
const OPEN = 11;
const CLOSE = 12;
const DIGIT = 13;
const tag = (number: number) => [OPEN, DIGIT + number, CLOSE];

/** The tokens of the case. In NVLM-X, `<Image>` is what stands for a picture. */
const named = (json: JsonObject): JsonObject => ({
  image_token_id: START,
  image_start_ids: [START],
  tile_tag_ids: Array.from({ length: 6 }, (_, i) => tag(i + 1)),
  thumbnail_tag_ids: tag(0),
  ...json,
});

/** Tiles of each row: a picture's own, its thumbnail last, and filling behind them. The caller owns the result. */
export async function nvlmPictures(golden: ParityCase): Promise<ImageBatch> {
  const { data, shape } = await golden.floats('in.pixel_values');
  const [batch, tiles, channels, height, width] = shape as [number, number, number, number, number];
  const owners = (await golden.ints('in.image_of_tile')).data;
  const images: { views: ImageView[]; original: { height: number; width: number } }[] = [];
  for (let place = 0; place < batch * tiles; place++) {
    const owner = owners[place]!;
    const isFirst = place % tiles === 0 || (owner >= 0 && owner !== owners[place - 1]);
    if (isFirst) images.push({ views: [], original: { height, width } });
    const { views } = images.at(-1)!;
    const isLast = place % tiles === tiles - 1 || owners[place + 1] !== owner;
    const role = owner >= 0 && isLast ? 'thumbnail' : 'tile';
    const tile = { row: 0, column: views.length };
    views.push({ role, height, width, ...(role === 'tile' && { tile }), valid: owner >= 0 });
  }
  const dense = densePictures({ data, shape: [batch * tiles, channels, height, width] });
  return { ...dense, images };
}

/** What the case has of a text without pictures, and which tiles each token sees. */
async function parts(whole: Whole): Promise<void> {
  const { golden, comparison } = whole;
  await compareTextAlone(whole);
  const shape = golden.shape('out.cross_attention_mask');
  await comparison.give('out.cross_attention_mask', { shape, data: await seen(whole, shape[2]!) });
}

/** Which tiles each token sees, int32[B · T · K]: those whose features move what the first layer makes of it. */
async function seen({ model, inputs, images, fused }: Whole, numTiles: number): Promise<Int32Array> {
  const [batch, length] = inputs.ids.shape;
  const encoded = model.encodeImages(images);
  const result = new Int32Array(batch * length * numTiles);
  const views = encoded.images.flatMap((image) => image.views);
  const plain = await layerOf(fused, fused.embeddings);
  for (let tile = 0; tile < numTiles; tile++) {
    const [numRows] = encoded.features.shape;
    const moved = new Float32Array(numRows);
    for (let b = 0; b < batch; b++) {
      const { start, count } = rowsOf({ views: [views[b * numTiles + tile]!] });
      moved.fill(1, start, start + count);
    }
    const features = tf.tidy(() => tf.add(encoded.features, tf.tensor2d(moved, [numRows, 1])) as tf.Tensor2D);
    const other = model.fuse(inputs, { ...encoded, features } as ImageFeatures);
    const values = await layerOf(other, fused.embeddings);
    tf.dispose([features, other.embeddings]);
    other.dispose?.();
    const size = values.length / (batch * length);
    for (let token = 0; token < batch * length; token++) {
      const at = (of: Float32Array) => of.subarray(token * size, (token + 1) * size);
      const before = at(plain);
      if (at(values).some((value, i) => value !== before[i])) result[token * numTiles + tile] = 1;
    }
  }
  encoded.features.dispose();
  return result;
}

/** What the first cross-attention layer makes of `hidden`. */
async function layerOf({ injections = [] }: DecoderInputs, hidden: tf.Tensor3D): Promise<Float32Array> {
  const result = injections[0]!.apply(hidden, 0);
  const values = (await result.data<'float32'>()).slice();
  result.dispose();
  return values;
}

/** The cases of NVLM-X and NVLM-H. */
export const nvlm = wholeModel({
  pictures: nvlmPictures,
  config: named,
  features: 'all',
  also: parts,
  ofLargest: true,
});
