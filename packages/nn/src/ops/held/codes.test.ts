import { WeightError } from '@mmllm/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HELD_TYPES } from '../testing/held';
import { decode, encode, type Matrix } from './codes';

const matrix = (values: number[], inputs: number, inputAxis: 0 | 1 = 1): Matrix => ({
  values: Float32Array.from(values),
  shape: inputAxis === 1 ? [values.length / inputs, inputs] : [inputs, values.length / inputs],
  inputAxis,
});

const float = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 });
const anyMatrix = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 70 }))
  .chain(([outputs, inputs]) =>
    fc
      .array(float, { minLength: outputs * inputs, maxLength: outputs * inputs })
      .map((values) => matrix(values, inputs)),
  );

/** The largest absolute value of each group, for each value of it. */
function groupMax({ values, shape }: Matrix): number[] {
  const inputs = shape[1];
  return [...values].map((_, at) => {
    const row = at - (at % inputs);
    const first = row + 32 * Math.floor((at - row) / 32);
    const group = values.subarray(first, Math.min(first + 32, row + inputs));
    return group.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  });
}

describe('held codes', () => {
  it.each([
    ['q8', 1 / 127, 0.5],
    // The eight steps on the side of the largest value reach only seven on the other.
    ['q4', 1 / 8, 1],
    // From the least to the largest value there are fifteen, and these are at most twice the largest size apart.
    ['q4_1', 2 / 15, 0.5],
  ] as const)('of %s are within a step of the values, and stay in their range', (type, step, steps) => {
    fc.assert(
      fc.property(anyMatrix, (one) => {
        const held = encode(one, type, 'w');
        const [low, high] = type === 'q8' ? [-127, 127] : [0, 15];
        expect(held.codes.every((code) => code >= low && code <= high)).toBe(true);
        const most = groupMax(one);
        for (const [i, value] of decode(held).entries()) {
          const error = Math.abs(value - one.values[i]!);
          expect(error).toBeLessThanOrEqual(most[i]! * step * steps * 1.000001 + 1e-38);
        }
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['q8', [127, -127, 63.5, -63.5, 0.4, 0, 1], [127, -127, 64, -64, 0, 0, 1], 1],
    ['q4', [-8, 7, 7.9, 0, 3.4, 3.5, -7.6], [0, 15, 15, 8, 11, 12, 0], 1],
    // The sign of the scale puts the value farthest from zero on the side that has eight steps.
    ['q4', [8, -7], [0, 15], -1],
    ['q8', [0, 0], [0, 0], 0],
    ['q4', [0, 0], [8, 8], 0],
    ['q4_1', [-3, 12, -2.6, 4.4, 4.5], [0, 15, 0, 7, 8], 1, -3],
    ['q4_1', [2, 2], [0, 0], 0, 2],
  ] as const)('of %s are those of ggml: %o', (type, values, codes, scale, minimum?: number) => {
    const held = encode(matrix([...values], values.length), type, 'w');
    expect([...held.codes]).toEqual(codes);
    expect(held.scales[0]).toBeCloseTo(scale, 12);
    expect(held.minimums[0]).toBe(minimum);
  });

  it.each(HELD_TYPES)('of %s do not change when their values are held again', (type) => {
    fc.assert(
      fc.property(anyMatrix, (any) => {
        // Values of a group that differ in their last bits alone have no steps between them.
        const one = { ...any, values: any.values.map((value) => Math.round(256 * value) / 256) };
        const once = encode(one, type, 'w');
        const again = encode({ ...one, values: decode(once) }, type, 'w');
        expect(again.codes).toEqual(once.codes);
      }),
      { numRuns: 100 },
    );
  });

  it.each(HELD_TYPES)('of %s are those of the transpose, where the input comes first', (type) => {
    const plain = matrix([1, -2, 3, 0.5, 5, 6], 3);
    const turned = matrix([1, 0.5, -2, 5, 3, 6], 3, 0);
    expect(encode(turned, type, 'w')).toEqual(encode(plain, type, 'w'));
  });

  it.each(
    HELD_TYPES.flatMap((type) => [Number.NaN, Infinity, -Infinity].map((value) => [type, value] as const)),
  )('of %s refuse %d', (type, value) => {
    expect(() => encode(matrix([1, value], 2), type, 'layers.3.weight')).toThrow(
      new WeightError({
        component: 'layers.3.weight',
        expected: `values that ${type} can hold`,
        actual: `${value}`,
      }),
    );
  });

  it('refuse what would round to infinity', () => {
    expect(() => encode(matrix([65520], 1), 'float16', 'w')).toThrow(WeightError);
    expect(decode(encode(matrix([65519], 1), 'float16', 'w'))).toEqual(Float32Array.of(65504));
    expect(() => encode(matrix([3.4e38], 1), 'bfloat16', 'w')).toThrow(WeightError);
    expect(decode(encode(matrix([3.39e38], 1), 'bfloat16', 'w'))[0]).toBeLessThan(Infinity);
  });
});
