import { expect, it } from 'vitest';
import { numbers, oneAfterTheOther, sideBySide, transposed } from './inputs.ts';

it('makes numbers within their bounds, the same for the same seed', () => {
  const values = numbers(1000, 3);
  expect(values).toEqual(numbers(1000, 3));
  expect(values).not.toEqual(numbers(1000, 4));
  expect(values.every((value) => value >= -1 && value < 1)).toBe(true);
  expect(Math.abs(values.reduce((sum, value) => sum + value, 0) / 1000)).toBeLessThan(0.05);
});

it('transposes', () => {
  expect([...transposed(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3)]).toEqual([1, 4, 2, 5, 3, 6]);
});

it('lays heads side by side, and back', () => {
  // Two heads, three places, two channels.
  const heads = Float32Array.from({ length: 12 }, (_, i) => i);
  const joined = sideBySide(heads, 2, 3);
  expect([...joined]).toEqual([0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
  expect(oneAfterTheOther(joined, 2, 3)).toEqual(heads);
});
