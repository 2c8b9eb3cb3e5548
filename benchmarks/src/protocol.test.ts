import { expect, it } from 'vitest';
import { packAnswer, unpackValues } from './protocol.ts';

it('brings float32 across, to the last bit', () => {
  const values = Float32Array.of(1 / 3, -0, Number.POSITIVE_INFINITY, Number.NaN, 1e-40);
  const answer = JSON.parse(JSON.stringify(packAnswer({ values: () => values }, 12, 34)));
  expect(unpackValues(answer)).toEqual(values);
  expect(answer).toMatchObject({ ms: 12, peakMegabytes: 34 });
});

it('brings tokens alone', () => {
  const answer = JSON.parse(JSON.stringify(packAnswer({ tokens: [1, 2], msPerToken: 3 }, 12, 34)));
  expect(unpackValues(answer)).toBeUndefined();
  expect(answer).toMatchObject({ tokens: [1, 2], msPerToken: 3 });
});
