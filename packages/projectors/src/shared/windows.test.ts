import { startBackend } from '@mmllm/backends';
import { assertTensorsClose } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { picture, pictures } from '../testing/tiny';
import { type WindowOptions, Windows } from './windows';

beforeAll(() => startBackend({ backend: 'cpu' }));

const windows = (remainder: WindowOptions['remainder'], rows = 2, columns = 2) =>
  new Windows({ projector: 'test', rows, columns, remainder });

/** Which rows each window has, 1 for the first; 0 is padding. */
async function cut(cutter: Windows, images: Parameters<Windows['layout']>[0]): Promise<number[][]> {
  const rows = images.flatMap(({ views }) => views).reduce((sum, { count }) => sum + count, 0);
  const features = tf.tensor2d(
    Array.from({ length: rows }, (_, i) => i + 1),
    [rows, 1],
  );
  const cells = cutter.cut(features, images);
  const values = await cells.data();
  tf.dispose([features, cells]);
  return Array.from({ length: values.length / cutter.size }, (_, i) => [
    ...values.subarray(i * cutter.size, (i + 1) * cutter.size),
  ]);
}

describe('windows', () => {
  it('follow each other row by row, and so do their tokens', async () => {
    expect(await cut(windows('refuse'), pictures([2, 4], [2, 2]))).toEqual([
      [1, 2, 5, 6],
      [3, 4, 7, 8],
      [9, 10, 11, 12],
    ]);
    expect(await cut(windows('refuse', 1, 3), pictures([2, 3]))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  it('drop the rest or fill it up', async () => {
    expect(await cut(windows('drop'), pictures([3, 3]))).toEqual([[1, 2, 4, 5]]);
    expect(await cut(windows('pad'), pictures([3, 3]))).toEqual([
      [1, 2, 4, 5],
      [3, 0, 6, 0],
      [7, 8, 0, 0],
      [9, 0, 0, 0],
    ]);
  });

  it('skip what stands in front, and take frames one after the other', async () => {
    const images = [picture([[2, 2]], { prefix: 1, frames: 2 })];
    expect(await cut(windows('refuse'), images)).toEqual([
      [2, 3, 4, 5],
      [6, 7, 8, 9],
    ]);
  });

  it('count if one of their tokens does', () => {
    const mask = Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 0, 0);
    expect(windows('pad').mask(pictures([3, 3]), mask)).toEqual(Uint8Array.of(0, 1, 0, 0));
    expect(windows('pad').mask(pictures([3, 3]), undefined)).toBeUndefined();
  });

  it('need a grid that holds one', async () => {
    expect(() => windows('drop').layout(pictures([1, 5]))).toThrow(
      expect.objectContaining({ component: "projector 'test'", actual: 'one of 1×5' }),
    );
    expect(windows('pad').layout(pictures([1, 5]))[0].views[0].grid).toEqual({
      frames: 1,
      rows: 1,
      columns: 3,
    });
  });

  it('give each token back its gradient once', async () => {
    const [features, weights] = [tf.ones<tf.Rank.R2>([9, 1]), tf.range(1, 17)];
    const gradient = tf.tidy(() =>
      tf.grad((x: tf.Tensor) =>
        tf.sum(tf.mul(tf.reshape(windows('pad').cut(x as tf.Tensor2D, pictures([3, 3])), [16]), weights)),
      )(features),
    );
    await assertTensorsClose(
      gradient,
      { shape: [9, 1], data: [1, 2, 5, 3, 4, 7, 9, 10, 13] },
      { tolerance: 0 },
    );
    tf.dispose([features, weights, gradient]);
  });
});
