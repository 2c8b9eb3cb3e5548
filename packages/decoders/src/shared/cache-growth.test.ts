import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rowsWithRoom } from './cache-growth';

it('makes room for an eighth more and a block at most, and never more than the capacity', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200_000 }), fc.nat(200_000), (needed, more) => {
      const rows = rowsWithRoom(needed, needed + more);
      expect(rows).toBeGreaterThanOrEqual(needed);
      expect(rows).toBeLessThanOrEqual(Math.min(needed * 1.125 + 64, needed + more));
    }),
  );
});

it('copies rows a number of times that does not grow with the text', () => {
  for (const length of [1000, 10_000, 100_000]) {
    let [rows, copied] = [0, 0];
    for (let needed = 1; needed <= length; needed++) {
      if (needed <= rows) continue;
      copied += rows;
      rows = rowsWithRoom(needed, 200_000);
    }
    expect(copied).toBeLessThan(9 * length);
  }
});
