import type { MatchResult } from './measure.ts';
import type { Row, Unit } from './rows.ts';

/** What came of a row: its matches, or why there are none. */
export interface RowResult {
  readonly row: Row;
  readonly matches: readonly MatchResult[];
  readonly missing?: string;
}

/** One row of the JSON; without numbers, and with a reason, where it was not measured. */
export interface JsonRow {
  readonly name: string;
  readonly ours: number | null;
  readonly peer: number | null;
  readonly unit: Unit;
  readonly ratio: number | null;
  readonly spread: number | null;
  readonly reason?: string;
}

/** Four digits are more than any measurement is good for. */
const rounded = (value: number): number => Number(value.toPrecision(4));

const smallest = (matches: readonly MatchResult[]): MatchResult =>
  matches.reduce((least, match) => (match.ratio < least.ratio ? match : least));

export function jsonRow({ row: { name, unit }, matches, missing }: RowResult): JsonRow {
  if (missing !== undefined) {
    return { name, ours: null, peer: null, unit, ratio: null, spread: null, reason: missing };
  }
  const { ours, peer, ratio, spread } = smallest(matches);
  return {
    name,
    ours: rounded(ours.median),
    peer: rounded(peer.median),
    unit,
    ratio: rounded(ratio),
    spread: rounded(spread),
  };
}

const HEAD = ['name', 'threads', 'ours', 'peer', 'unit', 'ratio', 'spread', 'goal', '', 'against'];

/** A Markdown table with a line for every match; the one that counts has the verdict. */
export function markdownTable(results: readonly RowResult[]): string {
  const lines = results.flatMap((result) =>
    result.missing === undefined
      ? result.matches.map((match) => matchLine(result, match))
      : [missingLine(result)],
  );
  const rows = [HEAD, HEAD.map(() => '---'), ...lines];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) => `| ${row.map((cell, column) => pad(cell, widths[column])).join(' | ')} |`)
    .join('\n');
}

const pad = (cell: string, width: number): string =>
  cell === '---' ? '-'.repeat(width) : cell.padEnd(width);

function matchLine({ row, matches }: RowResult, result: MatchResult): string[] {
  const { match, ours, peer, ratio, spread } = result;
  const counts = result === smallest(matches);
  const verdict = ratio >= row.goal ? 'reached' : 'missed';
  return [
    row.name,
    threadsOf(match),
    range(ours),
    range(peer),
    row.unit,
    ratio.toFixed(2),
    `${Math.round(100 * spread)} %`,
    counts ? `≥ ${row.goal}` : '',
    counts ? verdict : '',
    result.peerName,
  ];
}

/** Ours, and the peer's where they differ. */
function threadsOf({ ours, peers: [peer] }: MatchResult['match']): string {
  return ours.threads === peer.threads ? `${ours.threads}` : `${ours.threads} : ${peer.threads}`;
}

const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const range = ({ median, min, max }: MatchResult['ours']): string =>
  `${digits(median)} (${digits(min)}–${digits(max)})`;

function missingLine({ row, missing = '' }: RowResult): string[] {
  const reason = missing.replaceAll(/\s+/g, ' ').replaceAll('|', '/').slice(-200);
  const cells = [row.name, '', '', '', row.unit, '', '', `≥ ${row.goal}`, 'not measured', reason];
  return cells;
}
