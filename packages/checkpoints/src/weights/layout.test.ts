import { describe, expect, it } from 'vitest';
import {
  isTurned,
  type RuleLayout,
  rowsToOurs,
  shapeToOurs,
  shapeToTheirs,
  transpose,
  valuesToTheirs,
} from './layout';

/** What `rowsToOurs` and the writer of a parameter make of a whole tensor. */
function valuesToOurs(rule: RuleLayout, values: Float32Array, theirs: readonly number[]): Float32Array {
  const rows = rowsToOurs(rule, values, theirs);
  const [outputs = 1] = theirs;
  return isTurned(rule) ? transpose(rows, outputs, rows.length / outputs) : rows;
}

const count = (size: number) => Float32Array.from({ length: size }, (_, index) => index);

describe('transpose', () => {
  it.each([
    [1, 1],
    [3, 5],
    [32, 32],
    [33, 70],
    [0, 4],
  ])('[%d, %d]', (rows, columns) => {
    const values = count(rows * columns);
    const result = transpose(values, rows, columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        expect(result[column * rows + row]).toBe(values[row * columns + column]);
      }
    }
    expect(transpose(result, columns, rows)).toEqual(values);
  });
});

describe('layouts', () => {
  it('linear is the transpose', () => {
    expect(valuesToOurs({ layout: 'linear' }, Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3])).toEqual(
      Float32Array.of(1, 4, 2, 5, 3, 6),
    );
  });

  it('conv-linear has a row for each cell and channel, cells first', () => {
    const [outputs, channels, height, width] = [4, 3, 2, 5] as const;
    const theirs = [outputs, channels, height, width];
    const rule: RuleLayout = { layout: 'conv-linear', kernel: [height, width] };
    const kernel = count(outputs * channels * height * width);
    const weight = valuesToOurs(rule, kernel, theirs);
    for (let o = 0; o < outputs; o++)
      for (let c = 0; c < channels; c++)
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++)
            expect(weight[((y * width + x) * channels + c) * outputs + o]).toBe(
              kernel[((o * channels + c) * height + y) * width + x],
            );
  });

  it('interleaved heads are taken apart into halves', () => {
    // Two heads of six rows: file rows 0, 2, 4 are the first half of the first head.
    const rows = [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11];
    expect(valuesToOurs({ interleavedHeads: 2 }, count(12), [12])).toEqual(Float32Array.from(rows));
    const wide = valuesToOurs({ layout: 'linear', interleavedHeads: 2 }, count(24), [12, 2]);
    expect(wide).toEqual(
      Float32Array.from([...rows.map((row) => 2 * row), ...rows.map((row) => 2 * row + 1)]),
    );
  });

  it.each<[RuleLayout, ours: number[], theirs: number[]]>([
    [{ interleavedHeads: 3 }, [12], [12]],
    [{ layout: 'linear', interleavedHeads: 3 }, [5, 24], [24, 5]],
    [{}, [2, 3], [2, 3]],
    [{}, [], []],
    [{ layout: 'linear' }, [3, 2], [2, 3]],
    [{ layout: 'conv-linear', kernel: [14, 14] }, [588, 8], [8, 3, 14, 14]],
    [{ layout: 'conv-linear', kernel: [2, 4, 5] }, [120, 7], [7, 3, 2, 4, 5]],
    [{ layout: 'leading-ones', count: 2 }, [6], [1, 1, 6]],
    [{ layout: 'leading-ones', count: 1 }, [1, 6], [1, 1, 6]],
  ])('%j: our %j is their %j, both ways', (rule, ours, theirs) => {
    expect(shapeToOurs(rule, theirs)).toEqual(ours);
    expect(shapeToTheirs(rule, ours)).toEqual(theirs);
    const values = count(ours.reduce((a, b) => a * b, 1));
    expect(valuesToOurs(rule, valuesToTheirs(rule, values, theirs), theirs)).toEqual(values);
    expect(valuesToTheirs(rule, valuesToOurs(rule, values, theirs), theirs)).toEqual(values);
  });

  it.each<[RuleLayout, theirs: number[]]>([
    [{ layout: 'linear' }, [2]],
    [{ layout: 'linear', interleavedHeads: 2 }, [6, 4]],
    [{ layout: 'linear' }, [2, 3, 4]],
    [{ layout: 'conv-linear', kernel: [2, 2] }, [8, 3, 2, 3]],
    [{ layout: 'conv-linear', kernel: [2, 2] }, [8, 12]],
    [{ layout: 'leading-ones', count: 2 }, [1, 2, 6]],
    [{ layout: 'leading-ones', count: 2 }, [1]],
  ])('%j does not take their %j', (rule, theirs) => {
    expect(shapeToOurs(rule, theirs)).toBeUndefined();
  });

  it.each<[RuleLayout, ours: number[]]>([
    [{ layout: 'linear' }, [2]],
    [{ layout: 'linear', interleavedHeads: 2 }, [4, 6]],
    [{ layout: 'conv-linear', kernel: [2, 2] }, [13, 8]],
    [{ layout: 'conv-linear', kernel: [2, 2] }, [12]],
    [{ layout: 'conv-linear', kernel: [2, 2] }, []],
  ])('%j does not take our %j', (rule, ours) => {
    expect(shapeToTheirs(rule, ours)).toBeUndefined();
  });
});
