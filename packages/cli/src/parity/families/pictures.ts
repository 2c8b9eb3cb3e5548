import type { HostTensor } from '@mmllm/conformance';
import type { DenseImages } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

/** Pixels float32[B, 3, H, W] as a batch of pictures of one view each. The caller owns it. */
export function densePictures({ data, shape }: HostTensor): DenseImages {
  const [batch, channels, height, width] = shape;
  const pixels = tf.tidy(() =>
    tf.transpose(tf.tensor4d(data as Float32Array, [batch, channels, height, width]), [0, 2, 3, 1]),
  );
  const image = { views: [{ role: 'image', height, width }], original: { height, width } } as const;
  return { kind: 'dense', images: new Array(batch).fill(image), pixels };
}
