import { describe, expect, it } from 'vitest';
import { buckets, placesInTable } from './positions';

describe('buckets', () => {
  it('of a whole picture are its places, and a smaller picture is spread over all', () => {
    expect(buckets(4, 4, 4)).toEqual([0, 1, 2, 3]);
    expect(buckets(4, 2, 4)).toEqual([0, 2, 3, 3]);
    expect(buckets(4, 3, 4)).toEqual([0, 1, 2, 3]);
    const half = Array.from({ length: 35 }, (_, place) => 2 * place);
    expect(buckets(35, 35, 70)).toEqual(half);
  });

  // What PyTorch 2.13 gives where it is not ⌊place · side / used⌋.
  it.each([
    [70, 70, []],
    [
      70,
      49,
      [
        [7, 9],
        [14, 19],
        [28, 39],
        [35, 49],
      ],
    ],
    [54, 36, [[30, 44]]],
    [
      50,
      25,
      [
        [5, 9],
        [6, 11],
        [9, 17],
        [10, 19],
        [15, 29],
        [18, 35],
        [19, 37],
        [20, 39],
        [23, 45],
      ],
    ],
    [19, 19, [[12, 11]]],
  ])('of %i, spread over by %i, round on their borders as PyTorch does', (side, used, rounded) => {
    const differing = [...buckets(used, used, side).entries()].filter(
      ([place, bucket]) => bucket !== Math.floor((place * side) / used),
    );
    expect(differing).toEqual(rounded);
  });
});

describe('placesInTable', () => {
  it('goes by the first row and the first column, and gives padding place 0', () => {
    // Three of four columns and two of three rows.
    const isPicture = (patch: number) => patch % 4 < 3 && patch < 8;
    const places = placesInTable(isPicture, { rows: 3, columns: 4 }, 6);
    expect([...places]).toEqual([0, 2, 4, 0, 18, 20, 22, 0, 0, 0, 0, 0]);
  });

  it('serves pictures larger than the table', () => {
    const places = placesInTable(() => true, { rows: 1, columns: 4 }, 2);
    expect([...places]).toEqual([0, 0, 1, 1]);
  });
});
