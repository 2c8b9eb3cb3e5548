import { describe, expect, it } from 'vitest';
import { editDistance, nearest } from './nearest';

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', '', 3],
    ['kitten', 'sitting', 3],
    ['flaw', 'lawn', 2],
    ['q_proj', 'qProj', 2],
  ])('of %j and %j is %d', (a, b, distance) => {
    expect(editDistance(a, b, 10)).toBe(distance);
    expect(editDistance(b, a, distance)).toBe(distance);
    if (distance > 0) expect(editDistance(a, b, distance - 1)).toBe(distance);
  });

  it('gives up one above the limit', () => {
    expect(editDistance('aaaaaaaaaa', 'bbbbbbbbbb', 3)).toBe(4);
    expect(editDistance('a', 'aaaaaaaaaa', 3)).toBe(4);
  });
});

describe('nearest', () => {
  it('takes the closest that looks like a misspelling', () => {
    expect(nearest('layers.0.attn.weight', ['layers.1.attn.bias', 'layers.0.atn.weight', 'norm'])).toBe(
      'layers.0.atn.weight',
    );
    expect(nearest('norm.weight', ['embed_tokens', 'lm_head'])).toBeUndefined();
    expect(nearest('a', [])).toBeUndefined();
  });

  it('takes bounded time for hostile names', () => {
    expect(nearest('a'.repeat(100_000), ['a'.repeat(99_999)])).toBeUndefined();
  });
});
