import { PlaceholderCountError, type SequencePiece } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { expandImages, repeatImageIds } from './expand';

const features = (count: number): SequencePiece => ({ kind: 'features', count });
const text = (text: string): SequencePiece => ({ kind: 'text', text });
const marker: SequencePiece = { kind: 'marker' };

describe('expandImages', () => {
  it('puts the pieces of each picture in its place, a run of features as one token', () => {
    const pictures = [[text('<1>'), features(4), text('\n'), features(2)], [marker]];
    expect(expandImages('a <image>b<image>', '<image>', pictures)).toEqual({
      text: 'a <1><image>\n<image>b<image>',
      repeats: [4, 2, 1],
    });
  });

  it('leaves text without pictures as it is', () => {
    expect(expandImages('plain', '<image>', [])).toEqual({ text: 'plain', repeats: [] });
  });

  it('leaves no token for a picture without features', () => {
    expect(expandImages('a<image>b', '<image>', [[features(0)]])).toEqual({ text: 'ab', repeats: [] });
    expect(expandImages('a<image>b', '<image>', [[]])).toEqual({ text: 'ab', repeats: [] });
  });
});

describe('repeatImageIds', () => {
  it('repeats each image id as often as it is told', () => {
    expect([...repeatImageIds(Int32Array.of(9, 5, 9, 9), 9, [2, 1, 3])]).toEqual([9, 9, 5, 9, 9, 9, 9]);
    expect([...repeatImageIds(Int32Array.of(5), 9, [])]).toEqual([5]);
  });

  it('refuses ids that hold another number of image tokens', () => {
    expect(() => repeatImageIds(Int32Array.of(9, 5), 9, [2, 2])).toThrow(PlaceholderCountError);
    expect(() => repeatImageIds(Int32Array.of(9, 5), 9, [])).toThrow(
      'processor: expected 0 image tokens in the tokenised prompt, got 1.',
    );
  });
});
