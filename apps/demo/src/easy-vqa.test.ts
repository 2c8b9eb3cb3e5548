import { random } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { moveShape } from './augment';
import { caption, describes } from './captions';
import { attributes, loadEasyVqa, questionType } from './easy-vqa';

describe('easy-VQA', () => {
  it('reads every picture and question of both splits', async () => {
    const [train, test] = await Promise.all([loadEasyVqa('train'), loadEasyVqa('test')]);
    const questions = (examples: typeof train) =>
      examples.reduce((sum, { questions }) => sum + questions.length, 0);
    expect([train.length, questions(train), test.length, questions(test)]).toEqual([4000, 38575, 1000, 9673]);
    expect(train[0].picture).toMatchObject({ width: 64, height: 64 });
    expect(train[0].known).toEqual({ color: 'blue', shape: 'rectangle' });
    expect(train.every(({ questions, answers }) => questions.length === answers.length)).toBe(true);
  });

  it('learns attributes from answers, and from confirmed questions only', () => {
    expect(attributes(['what color is the shape?'], ['teal'])).toEqual({ color: 'teal' });
    expect(attributes(['is there a circle?'], ['no'])).toEqual({});
    expect(attributes(['is there not a red circle?'], ['no'])).toEqual({ color: 'red', shape: 'circle' });
    expect(attributes(['is no triangle present?'], ['yes'])).toEqual({});
    expect(attributes(['what is the gray shape?'], ['circle'])).toEqual({ color: 'gray', shape: 'circle' });
  });

  it('knows the type of a question by its answer', () => {
    expect(['teal', 'circle', 'yes', 'no'].map(questionType)).toEqual(['color', 'shape', 'yes/no', 'yes/no']);
  });
});

describe('captions', () => {
  const known = { color: 'red', shape: 'circle' };

  it('are true of the picture they are made for', () => {
    for (let seed = 0; seed < 30; seed++) expect(describes(caption(known, random(seed)), known)).toBe(true);
    expect(caption({ color: 'red' }, random(0))).toBe('a red shape');
    expect(caption({ shape: 'circle' }, random(0))).toBe('a circle');
  });

  it('hold for every picture with those attributes and no other', () => {
    expect(describes('a circle', known)).toBe(true);
    expect(describes('a blue circle', known)).toBe(false);
    expect(describes('a red shape', { shape: 'circle' })).toBe(false);
  });
});

describe('moveShape', () => {
  /** A picture with a 2×3 block of unlike pixels. */
  function picture(left: number, top: number) {
    const data = new Uint8Array(8 * 8 * 3).fill(200);
    for (let y = 0; y < 2; y++)
      for (let x = 0; x < 3; x++) data[3 * ((top + y) * 8 + left + x)] = 10 * (3 * y + x);
    return { data, width: 8, height: 8 };
  }
  const pixels = ({ data }: { data: Uint8Array }) => [...data].sort((a, b) => a - b);

  it('moves all of the shape and nothing else', () => {
    const before = picture(2, 3);
    const places = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const after = moveShape(before, random(seed));
      expect(pixels(after)).toEqual(pixels(before));
      places.add(after.data.join());
    }
    expect(places.size).toBeGreaterThan(20);
  });

  it('keeps a shape that the edge cuts at that edge', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { data } = moveShape(picture(0, 3), random(seed));
      const rows = Array.from({ length: 8 }, (_, y) => data[3 * y * 8]);
      expect(rows.filter((value) => value !== 200)).toHaveLength(2);
    }
  });
});
