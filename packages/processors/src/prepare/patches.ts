import type { PackedImages, PatchPreprocessing, Picture, PreparedImage } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { resize } from '../resize/resize';
import { pixelWriter } from './pixels';

/**
 * Patches of pictures of any size, row by row: float32[patches, patchSize · patchSize · 3]. A picture is shrunk only
 * where it is larger than `maxSize`, and filled to whole patches at the right and at the bottom.
 *
 * Source: Fuyu's processor in transformers (`FuyuImageProcessor`).
 */
export function preparePatches(
  pictures: readonly Picture[],
  preprocessing: PatchPreprocessing,
): PackedImages {
  const { patchSize: side, padValue } = preprocessing;
  const fitted = pictures.map((picture) => shrunk(picture, preprocessing));
  const grids = fitted.map(({ height, width }) => [Math.ceil(height / side), Math.ceil(width / side)]);
  const numPatches = grids.reduce((sum, [rows, columns]) => sum + rows * columns, 0);
  const length = side * side * 3;
  const patches = new Float32Array(numPatches * length);
  const { write } = pixelWriter(preprocessing, padValue);
  let at = 0;
  const images = fitted.map((picture, index): PreparedImage => {
    const [rows, columns] = grids[index];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        write(patches, at, picture, { top: row * side, left: column * side, height: side, width: side });
        at += length;
      }
    }
    const { height, width } = pictures[index];
    const view = { role: 'image', height: rows * side, width: columns * side } as const;
    return { views: [view], original: { height, width } };
  });
  return { kind: 'packed', images, patches: tf.tensor2d(patches, [numPatches, length], 'float32') };
}

function shrunk(picture: Picture, { maxSize, resample }: PatchPreprocessing): Picture {
  const { height, width } = picture;
  if (height <= maxSize.height && width <= maxSize.width) return picture;
  const scale = Math.min(maxSize.height / height, maxSize.width / width);
  // Rounded down; a side never vanishes.
  const size = {
    height: Math.max(1, Math.floor(height * scale)),
    width: Math.max(1, Math.floor(width * scale)),
  };
  return resize(picture, size, resample);
}
