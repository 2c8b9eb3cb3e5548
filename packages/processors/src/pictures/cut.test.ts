import { describe, expect, it } from 'vitest';
import { noise } from '../testing/noise';
import { cutPicture } from './cut';

describe('cutPicture', () => {
  const picture = noise(3, 2);
  const pixel = (row: number, column: number) => [...picture.data.slice((row * 3 + column) * 3).slice(0, 3)];
  const cut = (top: number, left: number, height: number, width: number, background?: number[]) => [
    ...cutPicture(picture, { top, left, height, width }, background).data,
  ];

  it('gives the pixels of a part', () => {
    expect(cut(1, 1, 1, 2)).toEqual([...pixel(1, 1), ...pixel(1, 2)]);
  });

  it('fills up on every side', () => {
    const o = [9, 8, 7];
    expect(cut(-1, -1, 2, 3, o)).toEqual([...o, ...o, ...o, ...o, ...pixel(0, 0), ...pixel(0, 1)]);
    expect(cut(1, 2, 2, 2, o)).toEqual([...pixel(1, 2), ...o, ...o, ...o]);
    expect(cut(5, 5, 1, 1)).toEqual([0, 0, 0]);
    expect(cut(0, 5, 1, 1)).toEqual([0, 0, 0]);
  });

  it('gives the picture itself where that is all of it', () => {
    expect(cutPicture(picture, { top: 0, left: 0, height: 2, width: 3 })).toBe(picture);
  });
});
