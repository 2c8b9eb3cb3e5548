import { describe, expect, it } from 'vitest';
import { noise } from '../testing/noise';
import { resizeFloat } from './resize-float';

const same = Float32Array.from({ length: 256 }, (_, value) => value);

describe('resizeFloat', () => {
  it('weighs by the distance, the filter widened where it shrinks', () => {
    const line = { data: Uint8Array.from([7, 0, 70, 14, 0, 70, 28, 0, 70, 42, 1, 70]), width: 4, height: 1 };
    const { data, ...size } = resizeFloat(line, { width: 2, height: 1 }, same);
    expect(size).toEqual({ width: 2, height: 1 });
    // Three sevenths, three sevenths and one seventh of the three nearest.
    const expected = [(3 * 7 + 3 * 14 + 28) / 7, 0, 70, (14 + 3 * 28 + 3 * 42) / 7, 3 / 7, 70];
    expected.forEach((value, i) => {
      expect(data[i]).toBeCloseTo(value, 4);
    });
  });

  it('goes between pixels where it grows, and not beyond the edge', () => {
    const column = { data: Uint8Array.from([0, 8, 16, 40, 8, 0]), width: 1, height: 2 };
    const { data } = resizeFloat(column, { width: 1, height: 4 }, same);
    expect([...data]).toEqual([0, 8, 16, 10, 8, 12, 30, 8, 4, 40, 8, 0]);
  });

  it('looks every byte up, and keeps a picture of that size', () => {
    const picture = noise(5, 3);
    const { data } = resizeFloat(picture, picture, same.map(Math.sqrt));
    expect(data).toEqual(Float32Array.from(picture.data, Math.sqrt));
  });
});
