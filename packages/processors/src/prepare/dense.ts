import type { DenseImages, PreparedImage } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { Size } from '../resize/size';

/** A batch from the pixels of all views in order, float32[views, height, width, 3]. The caller owns the tensor. */
export function denseImages(
  images: readonly PreparedImage[],
  pixels: Float32Array,
  { height, width }: Size,
): DenseImages {
  const views = images.reduce((sum, image) => sum + image.views.length, 0);
  return { kind: 'dense', images, pixels: tf.tensor4d(pixels, [views, height, width, 3], 'float32') };
}
