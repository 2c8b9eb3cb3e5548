import { expect, it } from 'vitest';
import type { MatchResult } from './measure.ts';
import type { Contestant, EngineName, Row } from './rows.ts';
import { compare } from './statistics.ts';
import { jsonRow, markdownTable, type RowResult } from './table.ts';

const contestant = (engine: EngineName, threads: number): Contestant => ({
  engine,
  threads,
  work: { kind: 'matmul', size: 2 },
});

const row: Row = { name: 'product', unit: 'ms', goal: 1.5, matches: [] };

function result(threads: number, ours: number[], theirs: number[]): MatchResult {
  const match = { ours: contestant('ours', threads), peers: [contestant('tfjs', 1)] };
  return { match, peerName: 'tfjs', ...compare(ours, theirs, 'ms') };
}

const measured: RowResult = {
  row,
  matches: [result(1, [10, 11, 9], [20, 22, 18]), result(2, [5, 5, 5], [7, 7, 7])],
};
const missing: RowResult = { row: { ...row, name: 'other' }, matches: [], missing: 'no\n Python | at all' };

it('gives the match with the smallest ratio as JSON', () => {
  expect(jsonRow(measured)).toEqual({ name: 'product', ours: 5, peer: 7, unit: 'ms', ratio: 1.4, spread: 0 });
});

it('says in JSON why there is nothing', () => {
  expect(jsonRow(missing)).toMatchObject({ name: 'other', ratio: null, reason: 'no\n Python | at all' });
});

it('prints every match, a verdict for the one that counts, and what was not measured', () => {
  expect(markdownTable([measured, missing])).toMatchInlineSnapshot(`
    "| name    | threads | ours             | peer             | unit | ratio | spread | goal  |              | against            |
    | ------- | ------- | ---------------- | ---------------- | ---- | ----- | ------ | ----- | ------------ | ------------------ |
    | product | 1       | 10.0 (9.00–11.0) | 20.0 (18.0–22.0) | ms   | 2.00  | 0 %    |       |              | tfjs               |
    | product | 2 : 1   | 5.00 (5.00–5.00) | 7.00 (7.00–7.00) | ms   | 1.40  | 0 %    | ≥ 1.5 | missed       | tfjs               |
    | other   |         |                  |                  | ms   |       |        | ≥ 1.5 | not measured | no Python / at all |"
  `);
});
