import type { JsonObject } from '@mmllm/checkpoints';
import type { HostTensor } from '@mmllm/conformance';
import { type DenseImages, disposeImages, type ImageBatch, type PreparedImage } from '@mmllm/core';
import { composeSystem, systemOf } from '@mmllm/models';
import { prepareImages } from '@mmllm/processors';
import { aria } from '@mmllm/vision-encoders/aria';
import { mllama } from '@mmllm/vision-encoders/mllama';
import { molmo, unpatchify } from '@mmllm/vision-encoders/molmo';
import { fromPaddedPixels, pixtral } from '@mmllm/vision-encoders/pixtral';
import { fromPixelValues, qwen2Vl } from '@mmllm/vision-encoders/qwen2-vl';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../case';

/** Pixels float32[B, 3, H, W] as a batch of pictures of one view each. The caller owns it. */
export function densePictures({ data, shape }: HostTensor): DenseImages {
  const [batch, channels, height, width] = shape;
  const pixels = tf.tidy(() =>
    tf.transpose(tf.tensor4d(data as Float32Array, [batch, channels, height, width]), [0, 2, 3, 1]),
  );
  const image = { views: [{ role: 'image', height, width }], original: { height, width } } as const;
  return { kind: 'dense', images: new Array(batch).fill(image), pixels };
}

/** The pictures of a case of Qwen2-VL. The caller owns them. */
export async function qwenPictures(golden: ParityCase, json: unknown): Promise<ImageBatch> {
  const { patchSize = 14, framesPerPatch = 2, mergeSize = 2 } = qwen2Vl.checkpoint.config(json);
  const grids = (await golden.ints('in.image_grid_thw')).data;
  const values = await golden.floats('in.pixel_values');
  return fromPixelValues({ ...values, grids }, { patchSize, framesPerPatch, mergeSize });
}

/** The pictures of a case of Aria, with the part of each patch that its mask of pixels covers. */
export async function ariaPictures(golden: ParityCase, json: unknown): Promise<ImageBatch> {
  const { patchSize } = aria.checkpoint.config(json);
  const { shape, data } = await golden.ints('in.pixel_mask');
  const [views, height, width] = shape;
  const parts = tf.tidy(() => {
    const mask = tf.tensor4d(Float32Array.from(data), [views, height, width, 1]);
    return tf.avgPool(mask, patchSize, patchSize, 'valid');
  });
  const coverage = await parts.data<'float32'>();
  parts.dispose();
  return { ...densePictures(await golden.floats('in.pixel_values')), coverage };
}

/** The crops of a case of Molmo, which lie in patches; those of −1 everywhere fill up the batch. */
export async function molmoCrops(golden: ParityCase, json: unknown): Promise<DenseImages> {
  const { imageSize, patchSize } = molmo.checkpoint.config(json);
  const { shape, data } = await golden.floats('in.images');
  const [batch, crops, count, width] = shape;
  const view = (i: number) => ({
    role: 'tile' as const,
    height: imageSize,
    width: imageSize,
    valid: data.subarray(i * count * width, (i + 1) * count * width).some((value) => value !== -1),
  });
  const images = Array.from({ length: batch }, (_, i): PreparedImage => {
    const views = Array.from({ length: crops }, (_, crop) => view(i * crops + crop));
    return { views, original: { height: imageSize, width: imageSize } };
  });
  const pixels = tf.tidy(() => {
    const patches = tf.tensor3d(data, [batch * crops, count, width]);
    return unpatchify(patches, { rows: imageSize / patchSize, columns: imageSize / patchSize });
  });
  return { kind: 'dense', images, pixels, coverage: (await golden.floats('in.image_masks')).data };
}

/** The pictures of a case of Pixtral, which lie in the corner of one size. The caller owns them. */
export async function pixtralPictures(golden: ParityCase, json: unknown): Promise<ImageBatch> {
  const { patchSize } = pixtral.checkpoint.config(json);
  const sizes = (await golden.ints('in.image_sizes')).data;
  return fromPaddedPixels({ ...(await golden.floats('in.pixel_values')), sizes }, patchSize ?? 16);
}

/** The raw patches of a case of Fuyu; a row of them is the first run of image tokens. The caller owns them. */
export async function fuyuPictures(golden: ParityCase, json: JsonObject): Promise<ImageBatch> {
  const { data, shape } = await golden.floats('in.image_patches');
  const ids = (await golden.ints('in.input_ids')).data;
  const side = json.patch_size as number;
  const first = ids.indexOf(json.image_token_id as number);
  const columns = ids.subarray(first).findIndex((id) => id !== json.image_token_id);
  const [batch, count, width] = shape;
  const size = { height: (count / columns) * side, width: columns * side };
  const image: PreparedImage = { views: [{ role: 'image', ...size }], original: size };
  return {
    kind: 'packed',
    images: new Array(batch).fill(image),
    patches: tf.tensor2d(data, [batch * count, width]),
  };
}

/** The views of a case of LLaVA-NeXT, filled up with zeros to the most of a picture. The caller owns them. */
export async function anyResPictures(golden: ParityCase, json: JsonObject): Promise<ImageBatch> {
  const { model } = await composeSystem(systemOf(json), json);
  const sizes = (await golden.ints('in.image_sizes')).data;
  const { data, shape } = await golden.floats('in.pixel_values');
  const [batch, most, ...view] = shape;
  const blank = Array.from({ length: batch }, (_, i) => {
    const [height, width] = [sizes[2 * i], sizes[2 * i + 1]];
    return { data: new Uint8Array(height * width * 3), height, width };
  });
  // Which tiles a picture of that size becomes; what is on them comes from the case.
  const prepared = prepareImages(blank, model.encoder!.preprocessing);
  disposeImages(prepared);
  const length = view.reduce((product, n) => product * n, 1);
  const kept = prepared.images.flatMap(({ views }, i) =>
    views.map((_, v) => data.subarray((i * most + v) * length, (i * most + v + 1) * length)),
  );
  const pixels = new Float32Array(kept.length * length);
  for (const [i, values] of kept.entries()) pixels.set(values, i * length);
  const dense = densePictures({ data: pixels, shape: [kept.length, ...view] });
  return { ...dense, images: prepared.images };
}

/** The tiles of a case of Llama 3.2 Vision, on the canvases that it names. The caller owns them. */
export async function mllamaPictures(golden: ParityCase, json: JsonObject): Promise<ImageBatch> {
  const { aspectRatios = [], imageSize: side, maxTiles = 4 } = mllama.checkpoint.config(json);
  const ids = (await golden.ints('in.aspect_ratio_ids')).data;
  const { data, shape } = await golden.floats('in.pixel_values');
  const images = Array.from(ids, (id): PreparedImage => {
    const [rows, columns] = aspectRatios[id - 1];
    const views = Array.from({ length: maxTiles }, (_, i) => ({
      ...{ role: 'tile' as const, height: side, width: side, valid: i < rows * columns },
      tile: { row: Math.floor(i / columns), column: i % columns },
    }));
    return { views, tiles: { rows, columns }, original: { height: rows * side, width: columns * side } };
  });
  return { ...densePictures({ data, shape: [images.length * maxTiles, ...shape.slice(-3)] }), images };
}
