import type { ImageTokens } from '@mmllm/core';
import { expect, it } from 'vitest';
import { gridPositions } from './grid-positions';

/** A picture whose only view is such a grid. */
const grid = (rows: number, columns: number, frames = 1): ImageTokens => ({
  views: [
    { role: 'image', start: 0, count: frames * rows * columns, prefix: 0, grid: { frames, rows, columns } },
  ],
});

/** Where the tokens of a picture stand, from `first` on. */
const placed = (image: ImageTokens, first: number, sample = 0) => ({
  image,
  sample,
  positions: Array.from({ length: image.views[0]!.count }, (_, i) => first + i),
});

const ids = (batch: number, length: number) => ({
  data: new Int32Array(batch * length),
  shape: [batch, length] as const,
});

const axes = (data: Int32Array, length: number) =>
  Array.from({ length: 3 }, (_, axis) => [...data.subarray(axis * length, (axis + 1) * length)]);

it('counts rows and columns of a picture, and goes on behind the largest', () => {
  const { data, shape } = gridPositions('test', { ids: ids(1, 9) }, [placed(grid(2, 3), 1)]);
  expect(shape).toEqual([1, 9]);
  expect(axes(data, 9)).toEqual([
    [0, 1, 1, 1, 1, 1, 1, 4, 5],
    [0, 1, 1, 1, 2, 2, 2, 4, 5],
    [0, 1, 2, 3, 1, 2, 3, 4, 5],
  ]);
});

it('counts frames, and two pictures that touch', () => {
  const { data } = gridPositions('test', { ids: ids(1, 6) }, [
    placed(grid(1, 2, 2), 0),
    placed(grid(1, 1), 4),
  ]);
  expect(axes(data, 6)).toEqual([
    [0, 0, 1, 1, 2, 3],
    [0, 0, 0, 0, 2, 3],
    [0, 1, 0, 1, 2, 3],
  ]);
});

it('counts frames that are views of their own, in a run', () => {
  const frame = (start: number) => ({
    ...{ role: 'frame' as const, start, count: 2, prefix: 0 },
    grid: { frames: 1, rows: 1, columns: 2 },
  });
  const positions = Array.from({ length: 4 }, (_, i) => 1 + i);
  const film = { image: { views: [frame(0), frame(2)] }, sample: 0, positions };
  const { data } = gridPositions('test', { ids: ids(1, 6) }, [film]);
  expect(axes(data, 6)).toEqual([
    [0, 1, 1, 2, 2, 3],
    [0, 1, 1, 1, 1, 3],
    [0, 1, 2, 1, 2, 3],
  ]);
});

it('begins with the first real token, and anew with each packed sample', () => {
  const start = Int32Array.of(2, 0);
  const { data } = gridPositions('test', { ids: ids(2, 4), start }, [placed(grid(1, 2), 1, 1)]);
  expect([...data.subarray(0, 8)]).toEqual([0, 0, 0, 1, 0, 1, 1, 3]);
  const blocks = Int32Array.of(0, 0, 1, 1);
  const packed = gridPositions('test', { ids: ids(1, 4), blocks }, [placed(grid(1, 1), 3)]);
  expect([...packed.data.subarray(0, 4)]).toEqual([0, 1, 0, 1]);
});

it('needs the tokens of a picture in a run', () => {
  const image = { ...placed(grid(1, 3), 1), positions: [1, 2, 4] };
  expect(() => gridPositions('test', { ids: ids(1, 6) }, [image])).toThrow(
    'test: expected 3 image tokens in a run for each view of a picture, got other tokens between them.',
  );
});
