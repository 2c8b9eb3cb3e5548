import {
  ConfigError,
  type ImageBatch,
  type ImageEncoder,
  type ImageView,
  largestImage,
  type PreparedImage,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

/** The picture that becomes the most tokens. @throws ConfigError for an encoder that does not say which. */
export function largestPictureOf({ name, preprocessing }: ImageEncoder): PreparedImage {
  const image = largestImage(preprocessing);
  if (image) return image;
  throw new ConfigError({
    component: `encoder '${name}'`,
    expected: 'a preprocessing that says what is the largest picture',
    actual: preprocessing.kind,
  });
}

/** So many of these pictures, grey, as their encoder takes them. The caller owns the batch. */
export function greyPictures(encoder: ImageEncoder, count: number): ImageBatch {
  const { preprocessing } = encoder;
  const images = new Array<PreparedImage>(count).fill(largestPictureOf(encoder));
  const views = images.flatMap((image) => image.views);
  if (preprocessing.kind === 'patches' || preprocessing.kind === 'packed') {
    const { patchSize } = preprocessing;
    const { framesPerPatch = 1 } = 'framesPerPatch' in preprocessing ? preprocessing : {};
    const rows = views.reduce((sum, view) => sum + patchesOf(view, patchSize), 0);
    const patches = tf.fill<tf.Rank.R2>([rows, framesPerPatch * patchSize ** 2 * 3], 0);
    return { kind: 'packed', images, patches };
  }
  const [{ height, width }] = views;
  return { kind: 'dense', images, pixels: tf.fill<tf.Rank.R4>([views.length, height, width, 3], 0) };
}

const patchesOf = ({ height, width }: ImageView, patchSize: number): number =>
  Math.ceil(height / patchSize) * Math.ceil(width / patchSize);
