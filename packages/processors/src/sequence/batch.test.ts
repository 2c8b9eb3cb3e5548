import { ShapeError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { padSequences } from './batch';

const asked = { ids: Int32Array.of(1, 2, 3) };
const answered = { ids: Int32Array.of(4, 5, 6, 7, 8), answerStart: 3 };

describe('padSequences', () => {
  it('pads on the right', () => {
    expect(padSequences([asked, answered], 0, 'right')).toEqual({
      ids: { data: Int32Array.of(1, 2, 3, 0, 0, 4, 5, 6, 7, 8), shape: [2, 5] },
      start: Int32Array.of(0, 0),
      end: Int32Array.of(3, 5),
      labels: Int32Array.of(-100, -100, -100, -100, -100, -100, -100, 7, 8, -100),
    });
  });

  it('pads on the left', () => {
    const longer = { ids: Int32Array.of(1, 2, 3, 1, 2, 3, 1) };
    expect(padSequences([answered, longer], 9, 'left')).toEqual({
      ids: { data: Int32Array.of(9, 9, 4, 5, 6, 7, 8, 1, 2, 3, 1, 2, 3, 1), shape: [2, 7] },
      start: Int32Array.of(2, 0),
      end: Int32Array.of(7, 7),
      labels: Int32Array.of(-100, -100, -100, -100, 7, 8, -100, ...Array(7).fill(-100)),
    });
  });

  it('gives no labels where nothing is answered', () => {
    expect(padSequences([asked], 0, 'right')).not.toHaveProperty('labels');
  });

  it('cannot predict the first id of all', () => {
    const { labels } = padSequences([{ ids: Int32Array.of(1, 2), answerStart: 0 }], 0, 'right');
    expect([...labels!]).toEqual([2, -100]);
  });

  it('refuses to make a batch of nothing', () => {
    expect(() => padSequences([], 0, 'left')).toThrow(ShapeError);
    expect(() => padSequences([asked, { ids: new Int32Array() }], 0, 'left')).toThrow(
      'samples[1]: expected at least one token, got none.',
    );
  });
});
