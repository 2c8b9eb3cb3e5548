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
 * @throws ShapeError if there are not as many values or sizes as the shape says, or a picture is larger than that.
 */
export function fromPaddedPixels(padded: PaddedPixels, patchSize: number): PackedImages {
  const images = picturesOf(padded);
  const { data, shape } = padded;
  const [, , height, width] = shape;
  const grids = images.map(({ original }) => ({
    rows: Math.floor(original.height / patchSize),
    columns: Math.floor(original.width / patchSize),
  }));
  const numPatches = grids.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const area = patchSize * patchSize;
  const patches = new Float32Array(numPatches * area * 3);
  let at = 0;
  for (const [picture, { rows, columns }] of grids.entries()) {
    for (let patch = 0; patch < rows * columns; patch++) {
      const [top, left] = [Math.floor(patch / columns) * patchSize, (patch % columns) * patchSize];
      for (let pixel = 0; pixel < area; pixel++) {
        const [row, column] = [top + Math.floor(pixel / patchSize), left + (pixel % patchSize)];
        for (let channel = 0; channel < 3; channel++) {
          patches[at++] = data[((picture * 3 + channel) * height + row) * width + column];
        }
      }
    }
  }
  return { kind: 'packed', images, patches: tf.tensor2d(patches, [numPatches, area * 3]) };
}

function picturesOf({ data, shape, sizes }: PaddedPixels): PreparedImage[] {
  const [count, channels, height, width] = shape;
  if (shape.length !== 4 || channels !== 3 || data.length !== count * 3 * height * width) {
    throw wrong('float32[pictures, 3, height, width]', `${data.length} values of [${shape.join(', ')}]`);
  }
  if (sizes.length !== 2 * count) throw wrong(`int32[${count}, 2] sizes`, `${sizes.length} values`);
  return Array.from({ length: count }, (_, i) => {
    const size = { height: sizes[2 * i], width: sizes[2 * i + 1] };
    if (size.height > height || size.width > width) {
      throw wrong(`pictures of at most ${height}×${width} pixels`, `${size.height}×${size.width}`);
    }
    return { views: [{ role: 'image', ...size }], original: size };
  });
}

const wrong = (expected: string, actual: string) =>
  new ShapeError({ component: 'pixtral pixel_values', expected, actual });
