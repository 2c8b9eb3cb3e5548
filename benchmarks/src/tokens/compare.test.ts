import { expect, it } from 'vitest';
import { agreement, describe as line } from './compare.ts';

const expected = { prompt: 'Hello?', ids: [1, 2], tokens: [7, 8, 9], margins: [1, 0.002, 3] };

it.each([
  ['all', [1, 2], [7, 8, 9], 3],
  ['to the first that differs', [1, 2], [7, 9, 9], 1],
  ['to the end of what is too short', [1, 2], [7], 1],
  ['none behind another prompt', [1, 3], [7, 8, 9], -1],
  ['none behind a longer prompt', [1, 2, 3], [7, 8, 9], -1],
])('counts equal tokens: %s', (_, ids, tokens, count) => {
  expect(agreement(expected, { ids, tokens })).toBe(count);
});

it('tells how near to a tie the first other token was', () => {
  expect(line(expected, { ids: [1, 2], tokens: [7, 9, 9] })).toContain(
    'token 1 of 3 is 9, not 8, whose logit is 2.0e-3 above the second',
  );
  expect(line(expected, { ids: [1, 2], tokens: [7, 8, 9] })).toContain('3 of 3 tokens equal');
  expect(line(expected, { ids: [1], tokens: [] })).toContain('the ids differ: got 1');
});
