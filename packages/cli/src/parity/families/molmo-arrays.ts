import type { HostTensor } from '@mmllm/conformance';
import type { CropsPreprocessing, DenseImages, ImageBatch, ImagePreprocessing } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { ParityCase } from '../case';
import type { ImageArray } from './image-arrays';

/** Ids of the tokens that stand for pictures. */
interface Ids {
  readonly im_start: number;
  readonly im_end: number;
  readonly im_patch: number;
  readonly im_col: number;
}

/** Patches of a crop become one token two by two. */
const pool = 2;

const pooled = (patches: number): number => Math.ceil(patches / pool);

/**
 * What Molmo's own preprocessor (allenai/molmo, olmo/data/model_preprocessor.py) gives of one picture.
 *
 * `patches` says which patches of each crop a large case keeps: it is given, not computed.
 */
export async function molmoArrays(
  golden: ParityCase,
  start: string,
): Promise<Readonly<Record<string, ImageArray>>> {
  const ids = golden.description.ids as Ids;
  const kept = golden.has(`${start}patches`) ? await golden.ints(`${start}patches`) : undefined;
  return {
    ...(kept && { patches: () => kept }),
    images: (batch, preprocessing) => patchesOf(batch, preprocessing, kept?.data),
    image_masks: lateMasks,
    tokens: (batch, preprocessing) => vector(tokensOf(batch, preprocessing, ids)),
    patch_order: (batch, preprocessing) => vector(patchOrder(ranks(batch, preprocessing))),
    image_input_idx: (batch, preprocessing) => {
      const tokens = tokensOf(batch, preprocessing, ids);
      const places = tokens.flatMap((token, i) => (token === ids.im_patch ? [i] : []));
      const { rows, columns } = pooledGrid(preprocessing);
      const indices = ranks(batch, preprocessing).map((rank) => (rank < 0 ? -100 : places[rank]));
      return { shape: [indices.length / (rows * columns), rows * columns], data: indices };
    },
  };
}

const vector = (values: number[]): HostTensor => ({ shape: [values.length], data: Int32Array.from(values) });

/** float32[views, patches, side · side · 3], only some of the patches where it says so. */
function patchesOf(
  batch: ImageBatch,
  preprocessing: ImagePreprocessing,
  only?: ArrayLike<number>,
): tf.Tensor {
  const { pixels } = batch as DenseImages;
  const { patchSize: side } = preprocessing as CropsPreprocessing;
  const [views, height, width] = pixels.shape;
  return tf.tidy(() => {
    const grid = tf.reshape(pixels, [views, height / side, side, width / side, side * 3]);
    const patches = tf.reshape(tf.transpose(grid, [0, 1, 3, 2, 4]), [views, -1, side * side * 3]);
    return only ? tf.gather(patches, tf.tensor1d(Array.from(only), 'int32'), 1) : patches;
  });
}

/** The reference's masks lie one view late: row i is of view i + 1, and the last is -1. */
const lateMasks: ImageArray = (batch) => {
  const { coverage = new Float32Array(), pixels } = batch as DenseImages;
  const patches = coverage.length / pixels.shape[0];
  const data = new Float32Array(coverage.length).fill(-1);
  data.set(coverage.subarray(patches));
  return { shape: [pixels.shape[0], patches], data };
};

/** Tokens of one crop. */
function pooledGrid(preprocessing: ImagePreprocessing): { rows: number; columns: number } {
  const { cropSize, patchSize } = preprocessing as CropsPreprocessing;
  return { rows: pooled(cropSize.height / patchSize), columns: pooled(cropSize.width / patchSize) };
}

/** Where the tokens of one axis of the crops start and end: in the crop, and among those of all crops joined. */
function spans(count: number, patches: number, [before, after]: readonly [number, number]) {
  let at = 0;
  return Array.from({ length: count }, (_, i) => {
    const first = i === 0 ? 0 : Math.floor(before / pool);
    const own = patches - before - after + (i === 0 ? before : 0) + (i === count - 1 ? after : 0);
    const span = { first, length: pooled(own), at };
    at += span.length;
    return span;
  });
}

/** The spans of rows and of columns. */
function layoutOf({ images: [{ tiles }] }: ImageBatch, preprocessing: ImagePreprocessing) {
  const { cropSize, patchSize, overlap } = preprocessing as CropsPreprocessing;
  return {
    rows: spans(tiles!.rows, cropSize.height / patchSize, overlap),
    columns: spans(tiles!.columns, cropSize.width / patchSize, overlap),
  };
}

const endOf = (all: ReturnType<typeof spans>): number => all[all.length - 1].at + all[all.length - 1].length;

/** The whole picture's rows, then those of the crops joined without their overlap. */
function tokensOf(batch: ImageBatch, preprocessing: ImagePreprocessing, ids: Ids): number[] {
  const block = (rows: number, columns: number) => {
    const row = [...Array<number>(columns).fill(ids.im_patch), ids.im_col];
    return [ids.im_start, ...Array.from({ length: rows }, () => row).flat(), ids.im_end];
  };
  const whole = pooledGrid(preprocessing);
  const { rows, columns } = layoutOf(batch, preprocessing);
  return [...block(whole.rows, whole.columns), ...block(endOf(rows), endOf(columns))];
}

/** int32[views · tokens of a crop]: the place of each among all tokens of the picture, -1 where it is overlap. */
function ranks(batch: ImageBatch, preprocessing: ImagePreprocessing): Int32Array {
  const grid = pooledGrid(preprocessing);
  const length = grid.rows * grid.columns;
  const { rows, columns } = layoutOf(batch, preprocessing);
  const result = new Int32Array(length * (1 + rows.length * columns.length)).fill(-1);
  for (let i = 0; i < length; i++) result[i] = i;
  const width = endOf(columns);
  rows.forEach((down, tileRow) => {
    columns.forEach((across, tileColumn) => {
      const view = 1 + tileRow * columns.length + tileColumn;
      for (let row = 0; row < down.length; row++) {
        for (let column = 0; column < across.length; column++) {
          const place = (down.first + row) * grid.columns + across.first + column;
          result[view * length + place] = length + (down.at + row) * width + across.at + column;
        }
      }
    });
  });
  return result;
}

/**
 * The reference's order is the inverse of the ranks: where the i-th of the patches that are kept stands, it has the
 * number of the one whose token is the i-th.
 */
function patchOrder(all: Int32Array): number[] {
  const inverse: number[] = [];
  all
    .filter((rank) => rank >= 0)
    .forEach((rank, i) => {
      inverse[rank] = i;
    });
  let next = 0;
  return Array.from(all, (rank) => (rank < 0 ? -1 : inverse[next++]));
}
