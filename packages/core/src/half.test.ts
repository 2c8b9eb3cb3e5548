import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half';

const formats = [
  { name: 'bfloat16', toCode: toBfloat16, fromCode: fromBfloat16, infinite: 0x7f80 },
  { name: 'float16', toCode: toFloat16, fromCode: fromFloat16, infinite: 0x7c00 },
] as const;

describe.each(formats)('$name', ({ toCode, fromCode, infinite }) => {
  it('gives every finite code back', () => {
    for (let code = 0; code < infinite; code++) {
      if (toCode(fromCode(code)) !== code) expect(toCode(fromCode(code))).toBe(code);
      if (toCode(-fromCode(code)) !== (code | 0x8000)) expect(toCode(-fromCode(code))).toBe(code | 0x8000);
    }
  });

  it('rounds to the nearest, on a tie to the even one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: infinite - 2 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (code, part) => {
          const [low, high] = [fromCode(code), fromCode(code + 1)];
          const value = Math.fround(low + part * (high - low));
          const [below, above] = [value - low, high - value];
          const nearest = below === above ? code + (code % 2) : below < above ? code : code + 1;
          expect(toCode(value)).toBe(nearest);
        },
      ),
      {
        numRuns: 2000,
        examples: [
          [0, 0.5],
          [1, 0.5],
          [0x3ff, 0.5],
          [infinite - 2, 0.5],
        ],
      },
    );
  });

  it('keeps what is no number, and infinity', () => {
    const noNumber = toCode(Number.NaN);
    expect(noNumber > infinite && noNumber < 0x8000).toBe(true);
    expect([toCode(Infinity), toCode(-Infinity)]).toEqual([infinite, infinite | 0x8000]);
  });

  it('becomes infinite beyond the largest', () => {
    const largest = fromCode(infinite - 1);
    const step = largest - fromCode(infinite - 2);
    expect(toCode(Math.fround(largest + 0.49 * step))).toBe(infinite - 1);
    expect(toCode(Math.fround(largest + 0.5 * step))).toBe(infinite);
    expect(toCode(-3.4e38)).toBe(infinite | 0x8000);
  });
});

it('knows the values of well-known codes', () => {
  expect([0x3c00, 0xc000, 0x7bff, 0x0001, 0x3555].map(fromFloat16)).toEqual([
    1,
    -2,
    65504,
    2 ** -24,
    0.333251953125,
  ]);
  expect([0x3f80, 0xc000, 0x7f7f, 0x3eab].map(fromBfloat16)).toEqual([
    1, -2, 3.3895313892515355e38, 0.333984375,
  ]);
});
