import { type PackedImages, type PreparedImage, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

/** What transformers' image processor gives: pictures in the upper left corner of one size. */
export interface PaddedPixels {
  /** float32[pictures, 3, height, width] */
  readonly data: Float32Array;
  readonly shape: readonly number[];
  /** int32[pictures, 2]: the height and width of each, in pixels. */
  readonly sizes: Int32Array;
}

/**
 * A batch from `pixel_values` and `image_sizes`, so that pictures which transformers has prepared can be encoded. The caller
 * owns it.
 * @throws ShapeError if a picture is larger than the pixels.
 */
export function fromPaddedPixels({ data, shape, sizes }: PaddedPixels, patchSize: number): PackedImages {
  const [count, channels, height, width] = shape;
  const images = Array.from({ length: count }, (_, i): PreparedImage => {
    const size = { height: sizes[2 * i], width: sizes[2 * i + 1] };
    if (channels === 3 && size.height <= height && size.width <= width) {
      return { views: [{ role: 'image', ...size }], original: size };
    }
    throw new ShapeError({
      component: 'pixtral pixel_values',
      expected: `three channels and pictures of at most ${height}×${width} pixels`,
      actual: `${channels} channels, ${size.height}×${size.width}`,
    });
  });
  const values: number[] = [];
  images.forEach(({ original }, picture) => {
    for (let top = 0; top + patchSize <= original.height; top += patchSize) {
      for (let left = 0; left + patchSize <= original.width; left += patchSize) {
        for (let pixel = 0; pixel < patchSize * patchSize; pixel++) {
          const [row, column] = [top + Math.floor(pixel / patchSize), left + (pixel % patchSize)];
          for (let channel = 0; channel < 3; channel++) {
            values.push(data[((picture * 3 + channel) * height + row) * width + column]);
          }
        }
      }
    }
  });
  return {
    kind: 'packed',
    images,
    patches: tf.tensor2d(values, [values.length / (patchSize ** 2 * 3), patchSize ** 2 * 3]),
  };
}
