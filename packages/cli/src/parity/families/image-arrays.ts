import type { HostTensor } from '@mmllm/conformance';
import type {
  CanvasPreprocessing,
  DenseImages,
  ImageBatch,
  ImagePreprocessing,
  PackedImages,
  PackedPreprocessing,
  PaddedPreprocessing,
  PatchPreprocessing,
  TiledPreprocessing,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';

/** An array of a published processor, made of one prepared picture. A tensor belongs to the caller. */
export type ImageArray = (batch: ImageBatch, preprocessing: ImagePreprocessing) => tf.Tensor | HostTensor;

const ints = (values: number[], shape = [values.length]): HostTensor => ({
  shape,
  data: Int32Array.from(values),
});

/** float32[1 …, views, 3, H, W] of dense views, behind as many ones as asked for. */
export const channelsFirst =
  (ones = 0): ImageArray =>
  (batch) =>
    tf.tidy(() => {
      const views = tf.transpose((batch as DenseImages).pixels, [0, 3, 1, 2]);
      return tf.reshape(views, [...Array<number>(ones).fill(1), ...views.shape]);
    });

/** float32[1, 3, H, W]: the picture that the patches of one view make. */
export const unpacked: ImageArray = (batch, preprocessing) => {
  const { patchSize: side } = preprocessing as PackedPreprocessing | PatchPreprocessing;
  const [{ height, width }] = batch.images[0].views;
  return tf.tidy(() => {
    const shape = [height / side, width / side, side, side, 3];
    const patches = tf.reshape((batch as PackedImages).patches, shape);
    return tf.reshape(tf.transpose(patches, [4, 0, 2, 1, 3]), [1, 3, height, width]);
  });
};

/** Qwen2-VL: patches in the order of the blocks that are merged, each (channel, frame, row, column). */
export const blocks: ImageArray = (batch, preprocessing) => {
  const { patchSize: side, multiple, framesPerPatch: frames = 1 } = preprocessing as PackedPreprocessing;
  const [{ height, width }] = batch.images[0].views;
  const merge = multiple / side;
  const [rows, columns] = [height / multiple, width / multiple];
  return tf.tidy(() => {
    const { patches } = batch as PackedImages;
    const [count, length] = patches.shape;
    const order = tf.transpose(tf.reshape(patches, [rows, merge, columns, merge, length]), [0, 2, 1, 3, 4]);
    const each = tf.transpose(tf.reshape(order, [count, frames, side * side, 3]), [0, 3, 1, 2]);
    return tf.reshape(each, [count, length]);
  });
};

/** int32[1, 3]: frames, rows and columns of the patches. */
export const gridOfPatches: ImageArray = (batch, preprocessing) => {
  const { patchSize: side } = preprocessing as PackedPreprocessing;
  const [{ height, width }] = batch.images[0].views;
  return ints([1, height / side, width / side], [1, 3]);
};

/** int32[1, 2] */
export const originalSize: ImageArray = ({ images: [{ original }] }) =>
  ints([original.height, original.width], [1, 2]);

/** int32[1, 2] */
export const preparedSize: ImageArray = ({ images: [{ views }] }) =>
  ints([views[0].height, views[0].width], [1, 2]);

/** Llama 3.2, int32[1, 1]: the grids are numbered from 1, those of few rows first. */
export const aspectRatioId: ImageArray = ({ images: [{ tiles }] }, preprocessing) => {
  const { maxTiles } = preprocessing as CanvasPreprocessing;
  let id = 0;
  for (let rows = 1; rows <= maxTiles; rows++) {
    for (let columns = 1; rows * columns <= maxTiles; columns++) {
      id++;
      if (rows === tiles?.rows && columns === tiles.columns) return ints([id], [1, 1]);
    }
  }
  return ints([0], [1, 1]);
};

/** Llama 3.2, int32[1, 1, tiles] */
export const aspectRatioMask: ImageArray = ({ images: [{ views }] }) =>
  ints(
    views.map(({ valid = true }) => Number(valid)),
    [1, 1, views.length],
  );

/** Aria, int32[views, H, W]: a pixel counts as far as its patch is covered, from the top left. */
export const pixelMask: ImageArray = (batch, preprocessing) => {
  const { coverage = new Float32Array() } = batch as DenseImages;
  const { patchSize, longestEdge: side } = preprocessing as PaddedPreprocessing;
  const patches = Math.floor(side / patchSize);
  const views = coverage.length / patches ** 2;
  const mask = new Int32Array(views * side * side);
  for (let view = 0; view < views; view++) {
    const of = coverage.subarray(view * patches ** 2, (view + 1) * patches ** 2);
    // One edge is the side itself, so that the first row or the first column has whole patches.
    const sum = (at: (i: number) => number) =>
      Math.round(Array.from({ length: patches }, (_, i) => of[at(i)] * patchSize).reduce((a, b) => a + b));
    const [across, down] = [sum((i) => i), sum((i) => i * patches)];
    const height = Math.min(down, side);
    const width = height < side ? side : across;
    for (let row = 0; row < height; row++)
      mask.fill(1, (view * side + row) * side, (view * side + row) * side + width);
  }
  return { shape: [views, side, side], data: mask };
};

/** Fuyu, float32[1, 1, 3, H, W]: the largest size there is, filled up with the padding. */
export const filledCanvas: ImageArray = (batch, preprocessing) =>
  tf.tidy(() => {
    const { maxSize, padValue, rescale, mean, std } = preprocessing as PatchPreprocessing;
    const picture = tf.squeeze(unpacked(batch, preprocessing) as tf.Tensor, [0]);
    const height = Math.min(picture.shape[1]!, maxSize.height);
    const width = Math.min(picture.shape[2]!, maxSize.width);
    const rest: [number, number][] = [
      [0, maxSize.height - height],
      [0, maxSize.width - width],
    ];
    const channels = tf
      .unstack(tf.slice(picture, [0, 0, 0], [3, height, width]))
      .map((channel, c) => tf.pad(channel, rest, (padValue * rescale - mean[c]) / std[c]));
    return tf.reshape(tf.stack(channels), [1, 1, 3, maxSize.height, maxSize.width]);
  });

/** NVLM, int32[2] */
export const columnsAndRows: ImageArray = ({ images: [{ tiles }] }) => ints([tiles!.columns, tiles!.rows]);

/** MM1.5, int32[2] */
export const rowsAndColumns: ImageArray = ({ images: [{ tiles }] }) => ints([tiles!.rows, tiles!.columns]);

/** NVLM, int32[views]: the number of a tile, and 0 for the whole. */
export const tags: ImageArray = ({ images: [{ views, tiles }] }) =>
  ints(views.map(({ tile }) => (tile ? tile.row * tiles!.columns + tile.column + 1 : 0)));

/** MM1.5, int32[2]: the size of the picture in its grid, before padding. The free side rounds half up. */
export const sizeInGrid: ImageArray = ({ images: [{ original, tiles }] }, preprocessing) => {
  const { tileSize } = preprocessing as TiledPreprocessing;
  const [height, width] = [tiles!.rows * tileSize, tiles!.columns * tileSize];
  const tall = height * original.width <= width * original.height;
  const free = (side: number, numerator: number, denominator: number) =>
    Math.max(1, Math.floor((2 * side * numerator + denominator) / (2 * denominator)));
  if (tall) return ints([height, free(original.width, height, original.height)]);
  return ints([free(original.height, width, original.width), width]);
};
