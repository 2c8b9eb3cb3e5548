import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare, ratioOf, summarise } from './statistics.ts';

describe('summarise', () => {
  it.each([
    [[3], { median: 3, min: 3, max: 3 }],
    [[5, 1, 3], { median: 3, min: 1, max: 5 }],
    [[4, 1, 3, 2], { median: 2.5, min: 1, max: 4 }],
  ])('%j', (values, expected) => expect(summarise(values)).toEqual(expected));

  it('leaves the values in their order', () => {
    const values = [2, 1];
    summarise(values);
    expect(values).toEqual([2, 1]);
  });

  it('has the median between the ends', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (values) => {
        const { median, min, max } = summarise(values);
        return min <= median && median <= max;
      }),
    );
  });

  it('refuses nothing at all', () => expect(() => summarise([])).toThrow('at least one value'));
});

describe('ratioOf', () => {
  it('is above one where ours is better', () => {
    expect(ratioOf(50, 100, 'ms')).toBe(2);
    expect(ratioOf(50, 100, 'MB')).toBe(2);
    expect(ratioOf(50, 100, 'tokens/s')).toBe(0.5);
  });
});

describe('compare', () => {
  it('takes the ratio of the medians, and the spread of the ratios of single rounds', () => {
    const { ours, peer, ratio, spread } = compare([10, 20, 10], [20, 60, 10], 'ms');
    expect([ours.median, peer.median, ratio]).toEqual([10, 20, 2]);
    // 2, 3 and 1
    expect(spread).toBe(1);
  });

  it('has no spread where both sides slow down together', () => {
    expect(compare([1, 2, 4], [3, 6, 12], 'ms')).toMatchObject({ ratio: 3, spread: 0 });
  });
});
