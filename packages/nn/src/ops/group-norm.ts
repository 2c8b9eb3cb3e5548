import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { layerNorm } from './layer-norm';

/**
 * Group normalisation with the biased variance (Wu and He 2018, arXiv:1803.08494): neighbouring channels form a group,
 * and each group of a picture is normalised over all its pixels. The caller owns the result.
 *
 * @param x float32[B, H, W, C]
 * @param numGroups divides C
 * @throws ShapeError if it does not.
 */
export function groupNorm(x: tf.Tensor4D, numGroups: number, eps: number): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const size = channels / numGroups;
  if (!Number.isInteger(size)) {
    throw new ShapeError({
      component: 'groupNorm',
      expected: `channels that ${numGroups} groups divide`,
      actual: shapeText(x.shape),
    });
  }
  return tf.tidy(() => {
    const pixels = tf.reshape(x, [batch, height * width, numGroups, size]);
    const groups = tf.reshape(tf.transpose(pixels, [0, 2, 1, 3]), [batch * numGroups, -1]);
    const normed = layerNorm(groups, undefined, undefined, eps);
    const apart = tf.reshape(normed, [batch, numGroups, height * width, size]);
    return tf.reshape(tf.transpose(apart, [0, 2, 1, 3]), x.shape);
  });
}
