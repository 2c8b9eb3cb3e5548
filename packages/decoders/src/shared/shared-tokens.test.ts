import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SharedTokens } from './shared-tokens';

type Step =
  | { kind: 'append'; count: number }
  | { kind: 'crop'; drop: number }
  | { kind: 'select'; rows: readonly number[] };

const index = fc.nat(100);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('crop' as const), drop: fc.nat(4) }),
  fc.record({
    kind: fc.constant('select' as const),
    rows: fc.array(index, { minLength: 1, maxLength: 4 }),
  }),
);

it('never counts a token that differs, and all that came from one row', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.array(index, { minLength: 4 }), (steps, order) => {
      // Tokens are numbered, so that equal ones are copies of one.
      let [next, rows, shared] = [0, [[], []] as number[][], SharedTokens.none(2)];
      for (const each of steps) {
        const length = rows[0].length;
        if (each.kind === 'append') {
          rows = rows.map((row) => [...row, ...Array.from({ length: each.count }, () => next++)]);
        } else if (each.kind === 'crop') {
          rows = rows.map((row) => row.slice(0, Math.max(length - each.drop, 0)));
          shared = shared.crop(Math.max(length - each.drop, 0));
        } else {
          const picked = each.rows.map((row) => row % rows.length);
          shared = shared.select(picked, length);
          rows = picked.map((row) => rows[row]);
        }
      }
      const length = rows[0].length;
      const moves = rows.map((_, i) => order[i] % rows.length);
      const differs = (t: number) => rows.some((row, i) => row[t] !== rows[moves[i]][t]);
      const expected = Array.from({ length }, (_, t) => t).find(differs) ?? length;
      expect(shared.firstDifference(moves, length)).toBe(expected);
    }),
    { numRuns: 300 },
  );
});
