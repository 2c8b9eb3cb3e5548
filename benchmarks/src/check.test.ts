import { describe, expect, it } from 'vitest';
import { checkOutputs, deviation } from './check.ts';
import type { HeldType, Work } from './engine.ts';
import { packAnswer, type ReadOutput } from './protocol.ts';

const answer = (output: ReadOutput) => packAnswer(output, 1, 1);
const values = (...numbers: number[]) => answer({ values: () => numbers });
const vision: Work = { kind: 'vision', model: 'clip', batch: 1 };
const training: Work = { kind: 'train', model: 'llava', stage: 'full' };
const decoding = (held: HeldType): Work => ({ kind: 'decode', model: 'smollm2', held });

describe('deviation', () => {
  it.each([
    ['equal numbers', [1, -4], [1, -4], 0],
    ['a part of the largest', [1, -3], [1, -4], 0.25],
    ['nothing to compare', [], [], 0],
    ['too few', [1], [1, 2], Number.POSITIVE_INFINITY],
    ['not a number', [Number.NaN, 9], [1, 2], Number.POSITIVE_INFINITY],
    ['infinite', [Number.POSITIVE_INFINITY], [1], Number.POSITIVE_INFINITY],
    ['zeros expected', [1], [0], Number.POSITIVE_INFINITY],
  ])('%s', (_, actual, expected, off) => expect(deviation(actual, expected)).toBe(off));
});

describe('checkOutputs', () => {
  it('takes what is nearly equal, and refuses what is not, in any run', () => {
    const expected = { values: [1, 2] };
    checkOutputs(vision, [values(1, 2), values(1, 2.0001)], expected);
    expect(() => checkOutputs(vision, [values(1, 2), values(1, 2.01)], expected)).toThrow(
      'output off by 5.0e-3',
    );
    expect(() => checkOutputs(vision, [answer({})], expected)).toThrow('0 numbers for 2');
  });

  it('compares the losses that are known, each with its own', () => {
    checkOutputs(training, [values(3), values(2), values(1)], { values: [3, 2] });
    checkOutputs(training, [values(3)], { values: [3, 2] });
    expect(() => checkOutputs(training, [values(3), values(3)], { values: [3, 2] })).toThrow('output off');
  });

  it('wants the same tokens of full precision, and as many of others', () => {
    const expected = { tokens: [7, 8, 9], values: [1, -2] };
    const wrong = answer({ tokens: [7, 8, 8], values: () => [1, -2] });
    expect(() => checkOutputs(decoding('float32'), [wrong], expected)).toThrow('token 2 is 8, not 9');
    checkOutputs(decoding('q4'), [wrong], expected);
    expect(() => checkOutputs(decoding('q4'), [answer({ tokens: [7] })], expected)).toThrow(
      '1 tokens instead of 3',
    );
  });

  it('does without the logits of an engine that keeps them, and allows held types their rounding', () => {
    const expected = { tokens: [7], values: [1, -2] };
    checkOutputs(decoding('float32'), [answer({ tokens: [7] })], expected);
    const near = answer({ tokens: [7], values: () => [1.008, -2] });
    checkOutputs(decoding('bfloat16'), [near], expected);
    expect(() => checkOutputs(decoding('float32'), [near], expected)).toThrow('output off by 4.0e-3');
  });
});
