import { type Picture, type Resample, ShapeError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { caseJson, golden } from '../testing/golden';
import { noise } from '../testing/noise';
import { resize } from './resize';

const { jobs } = caseJson<{ jobs: [number, number, number, number, string][] }>(
  'images-resize/base/case.json',
);
const tensors = golden('images-resize/base');

function picture(name: string): Picture {
  const { shape, data } = tensors[name];
  return { data: data as Uint8Array, height: shape[0], width: shape[1] };
}

describe('resize', () => {
  it.each(jobs.map((job, index) => ({ job, index })))(
    'equals Pillow to the last bit: $job',
    ({ job, index }) => {
      const [, , width, height, filter] = job;
      const expected = picture(`out.${index}`);
      const result = resize(picture(`in.${index}`), { width, height }, filter.toLowerCase() as Resample);
      expect(result).toEqual(expected);
    },
  );

  it('notices one changed byte of the input', () => {
    const [, , width, height] = jobs[0];
    const { data, ...rest } = picture('in.0');
    const changed = data.slice();
    changed[1000] ^= 64;
    expect(resize({ data: changed, ...rest }, { width, height }, 'bicubic')).not.toEqual(picture('out.0'));
  });

  it.each(['nearest', 'box', 'bilinear', 'bicubic', 'lanczos'] as const)(
    '%s cuts a window of the whole',
    (filter) => {
      const source = noise(37, 29);
      const size = { width: 19, height: 41 };
      const whole = resize(source, size, filter);
      const part = resize(source, size, filter, { left: 5, top: 7, width: 11, height: 23 });
      const rows = Array.from({ length: 23 }, (_, y) =>
        whole.data.slice(((y + 7) * 19 + 5) * 3).slice(0, 33),
      );
      expect([...part.data]).toEqual(rows.flatMap((row) => [...row]));
    },
  );

  it('returns a picture of that size as it is, whatever the filter', () => {
    const source = noise(8, 6);
    expect(resize(source, { width: 8, height: 6 }, 'lanczos')).toBe(source);
    const window = { left: 0, top: 0, width: 8, height: 6 };
    expect(resize(source, { width: 8, height: 6 }, 'nearest', window)).toBe(source);
  });

  it('keeps the bytes of an axis that does not change', () => {
    const source = noise(9, 4);
    const doubled = resize(source, { width: 9, height: 8 }, 'nearest');
    expect(resize(doubled, { width: 9, height: 4 }, 'box')).toEqual(source);
  });

  it.each([
    [{ width: 0, height: 4 }, undefined],
    [{ width: 2.5, height: 4 }, undefined],
    [
      { width: 4, height: 4 },
      { left: 1, top: 0, width: 4, height: 4 },
    ],
    [
      { width: 4, height: 4 },
      { left: 0, top: -1, width: 4, height: 4 },
    ],
  ])('refuses size %o with window %o', (size, window) => {
    expect(() => resize(noise(3, 3), size, 'bicubic', window)).toThrow(ShapeError);
  });
});
