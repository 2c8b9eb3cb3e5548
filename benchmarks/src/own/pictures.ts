import type { DenseImages } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { HostTensor } from '../files.ts';

/** The first pictures of float32[B, 3, H, W] as a batch. The caller owns its pixels. */
export function pictureBatch({ data, shape }: HostTensor, count = shape[0]): DenseImages {
  const [, channels, height, width] = shape;
  const values = data.subarray(0, count * channels * height * width) as Float32Array;
  const pixels = tf.tidy(() =>
    tf.transpose(tf.tensor4d(values, [count, channels, height, width]), [0, 2, 3, 1]),
  );
  const image = { views: [{ role: 'image' as const, height, width }], original: { height, width } };
  return { kind: 'dense', images: new Array(count).fill(image), pixels };
}
