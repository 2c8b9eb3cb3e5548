import type { DenseImages, ImageEncoder } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

/** The features of the pictures of a batch, of equally many views each, when each is encoded alone. */
export function featuresAlone(encoder: ImageEncoder, { images, pixels, coverage }: DenseImages): tf.Tensor2D {
  const patches = (coverage?.length ?? 0) / images.length;
  return tf.tidy(() => {
    const alone = images.map((image, i) => {
      const { length } = image.views;
      const own = tf.slice4d(pixels, [i * length, 0, 0, 0], [length, -1, -1, -1]);
      const covered = coverage?.slice(patches * i, patches * (i + 1));
      return encoder.encode({ kind: 'dense', images: [image], pixels: own, coverage: covered }).features;
    });
    return tf.concat2d(alone, 0);
  });
}
