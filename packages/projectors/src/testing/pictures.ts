import type { DenseImages, ImageBatch, PreparedImage } from '@mmllm/core';
import { aria } from '@mmllm/vision-encoders/aria';
import { molmo, unpatchify } from '@mmllm/vision-encoders/molmo';
import { fromPixelValues, qwen2Vl } from '@mmllm/vision-encoders/qwen2-vl';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../../../cli/src/parity';
import { densePictures } from '../../../cli/src/parity/families/pictures';

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
