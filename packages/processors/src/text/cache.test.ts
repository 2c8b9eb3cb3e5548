import { describe, expect, it } from 'vitest';
import { remember } from './cache';

describe('remember', () => {
  it('computes again only what has not been asked for lately', () => {
    const asked: string[] = [];
    const length = remember((text) => asked.push(text) && text.length, 2);
    expect(['a', 'bb', 'a', 'ccc', 'a', 'bb'].map(length)).toEqual([1, 2, 1, 3, 1, 2]);
    expect(asked).toEqual(['a', 'bb', 'ccc', 'bb']);
  });
});
