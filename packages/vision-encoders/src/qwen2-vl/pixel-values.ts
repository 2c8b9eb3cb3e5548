import { type PackedImages, type PreparedImage, ShapeError, type TokenGrid } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * The order in which the published code has the tokens of a grid: blocks of `mergeSize²` one after the other. Element k is the
 * place, counted row by row, of what stands there at k.
 * @throws ShapeError for a grid that has no whole blocks.
 */
export function blockOrder({ frames, rows, columns }: TokenGrid, mergeSize: number): Int32Array {
  if (rows % mergeSize !== 0 || columns % mergeSize !== 0) {
    throw new ShapeError({
      component: 'qwen2-vl blockOrder',
      expected: `rows and columns in multiples of ${mergeSize}`,
      actual: `${rows}×${columns}`,
    });
  }
  const order = new Int32Array(frames * rows * columns);
  let at = 0;
  for (let frame = 0; frame < frames; frame++) {
    for (let top = 0; top < rows; top += mergeSize) {
      for (let left = 0; left < columns; left += mergeSize) {
        for (let inside = 0; inside < mergeSize * mergeSize; inside++) {
          const row = top + Math.floor(inside / mergeSize);
          order[at++] = (frame * rows + row) * columns + left + (inside % mergeSize);
        }
      }
    }
  }
  return order;
}

/** What transformers' image processor gives. */
export interface PixelValues {
  /** float32[patches, 3 · frames · patchSize · patchSize], in block order, each flattened (channel, frame, row, column). */
  readonly data: Float32Array;
  readonly shape: readonly number[];
  /** int32[pictures, 3]: frames, rows and columns of each, in patches. */
  readonly grids: Int32Array;
}

export interface PixelValueSizes {
  readonly patchSize: number;
  readonly framesPerPatch: number;
  readonly mergeSize: number;
}

/**
 * A batch from `pixel_values` and `image_grid_thw`, so that pictures which transformers has prepared can be encoded. Each frame
 * in time becomes a view. The caller owns the batch.
 * @throws ShapeError if the patches are not as many or as long as the grids and sizes say, or a grid has no whole blocks.
 */
export function fromPixelValues(
  { data, shape, grids }: PixelValues,
  { patchSize, framesPerPatch, mergeSize }: PixelValueSizes,
): PackedImages {
  const area = patchSize * patchSize;
  const length = framesPerPatch * area * 3;
  const all = tokenGrids(grids);
  const numPatches = all.reduce((sum, { frames, rows, columns }) => sum + frames * rows * columns, 0);
  const fits = shape.length === 2 && shape[0] === numPatches && shape[1] === length;
  if (!fits || data.length !== numPatches * length) {
    throw new ShapeError({
      component: 'qwen2-vl pixel_values',
      expected: `float32[${numPatches}, ${length}]`,
      actual: `${data.length} values of [${shape.join(', ')}]`,
    });
  }
  const patches = new Float32Array(data.length);
  let first = 0;
  for (const grid of all) {
    const order = blockOrder(grid, mergeSize);
    order.forEach((place, k) => {
      const [from, to] = [(first + k) * length, (first + place) * length];
      // (channel, frame, row, column) to (frame, row, column, channel).
      for (let i = 0; i < length / 3; i++) {
        for (let channel = 0; channel < 3; channel++) {
          patches[to + 3 * i + channel] = data[from + channel * (length / 3) + i];
        }
      }
    });
    first += order.length;
  }
  const images = all.map((grid) => prepared(grid, patchSize));
  return { kind: 'packed', images, patches: tf.tensor2d(patches, [numPatches, length]) };
}

/** `image_grid_thw` as grids. */
function tokenGrids(sizes: Int32Array): TokenGrid[] {
  if (sizes.length % 3 !== 0 || sizes.some((size) => size < 1)) {
    throw new ShapeError({
      component: 'qwen2-vl image_grid_thw',
      expected: 'frames, rows and columns of each picture, at least 1',
      actual: `[${sizes.join(', ')}]`,
    });
  }
  return Array.from({ length: sizes.length / 3 }, (_, i) => {
    const [frames, rows, columns] = sizes.subarray(3 * i, 3 * i + 3);
    return { frames, rows, columns };
  });
}

function prepared({ frames, rows, columns }: TokenGrid, patchSize: number): PreparedImage {
  const size = { height: rows * patchSize, width: columns * patchSize };
  const role = frames > 1 ? 'frame' : 'image';
  return { views: Array.from({ length: frames }, () => ({ role, ...size })), original: size };
}
