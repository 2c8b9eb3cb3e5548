import { setTimeout } from 'node:timers/promises';
import { checkOutputs, type Expected } from './check.ts';
import { nameOf, type Place, Running } from './contestant.ts';
import { goldenOutput } from './golden.ts';
import { type Answer, unpackValues } from './protocol.ts';
import type { Contestant, Match, Row, Unit } from './rows.ts';
import { type Comparison, compare, summarise } from './statistics.ts';

/** Worker threads of the engine that ran last go on spinning for a moment. */
const PAUSE_MS = 100;
/** Work that takes less is done several times in a round, whose value is the median. */
const ROUND_MS = 300;
/** But no more often than that, since every output is kept and compared. */
const MOST_RUNS = 20;

/** What came of one match: ours beside the fastest peer. */
export interface MatchResult extends Comparison {
  readonly match: Match;
  readonly peerName: string;
}

/** All measured values of a contestant, and what it gave. */
interface Series {
  readonly values: number[];
  readonly answers: Answer[];
}

/** @throws Error if a process dies or an output is wrong. */
export async function measureMatch(
  row: Row,
  match: Match,
  rounds: number,
  place: Place,
): Promise<MatchResult> {
  const contestants = [match.ours, ...match.peers];
  const records = row.runs
    ? await measureAlone(contestants, { ...row, runs: row.runs }, rounds, place)
    : await measureSpeed(contestants, row.unit, rounds, place);
  await checkRecords(contestants, records, place.models);
  const [ours, ...theirs] = records;
  const results = theirs.map((record, i) => ({
    match,
    peerName: match.peers[i].engine,
    ...compare(ours.values, record.values, row.unit),
  }));
  return results.reduce((best, result) => (result.ratio < best.ratio ? result : best));
}

/** All are loaded at once and take turns, so that a disturbance of the machine falls on all of them. */
async function measureSpeed(
  contestants: readonly Contestant[],
  unit: Unit,
  rounds: number,
  place: Place,
): Promise<Series[]> {
  const all: Running[] = [];
  try {
    // One after the other, which takes less memory at once.
    for (const contestant of contestants) all.push(await Running.start(contestant, place));
    const records = all.map((): Series => ({ values: [], answers: [] }));
    for (let round = 0; round <= rounds; round++) {
      for (const [i, running] of all.entries()) {
        const answers = await oneRound(running);
        records[i].answers.push(...answers);
        // The first warms up.
        if (round > 0)
          records[i].values.push(summarise(answers.map((answer) => inUnit(answer, unit))).median);
        await setTimeout(PAUSE_MS);
      }
    }
    return records;
  } finally {
    await Promise.all(all.map((running) => running.stop()));
  }
}

async function oneRound(running: Running): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let ms = 0; ms < ROUND_MS && answers.length < MOST_RUNS; ms += answers[answers.length - 1].ms) {
    answers.push(await running.run());
  }
  return answers;
}

/** Every round is a new process, which has the machine for itself; its last run counts. */
async function measureAlone(
  contestants: readonly Contestant[],
  { unit, runs }: { unit: Unit; runs: number },
  rounds: number,
  place: Place,
): Promise<Series[]> {
  const records = contestants.map((): Series => ({ values: [], answers: [] }));
  // Where time counts, the first brings files into the system's cache.
  for (let round = unit === 'ms' ? -1 : 0; round < rounds; round++) {
    for (const [i, contestant] of contestants.entries()) {
      const running = await Running.start(contestant, place);
      const answers: Answer[] = [];
      try {
        for (let run = 0; run < runs; run++) answers.push(await running.run());
      } finally {
        await running.stop();
      }
      if (round >= 0) records[i].values.push(inUnit(answers[answers.length - 1], unit));
      if (round === 0) records[i].answers.push(...answers);
    }
  }
  return records;
}

function inUnit(answer: Answer, unit: Unit): number {
  const { ms, msToFirst, msPerToken, peakMegabytes, grownMegabytes } = answer;
  switch (unit) {
    case 'ms':
      return ms;
    case 'ms to first':
      return msToFirst ?? Number.NaN;
    case 'tokens/s':
      return 1000 / (msPerToken ?? Number.NaN);
    case 'MB':
      return peakMegabytes;
    case 'MB more':
      return grownMegabytes ?? Number.NaN;
  }
}

/** Against PyTorch's outputs; where there are none, against those of the peer that comes last. */
async function checkRecords(
  contestants: readonly Contestant[],
  records: readonly Series[],
  models: string,
): Promise<void> {
  const last = records[records.length - 1].answers[0];
  const peers: Expected = { values: unpackValues(last), tokens: last.tokens };
  for (const [i, contestant] of contestants.entries()) {
    const { work } = contestant;
    const expected = (await goldenOutput(work, models)) ?? peers;
    try {
      checkOutputs(work, records[i].answers, expected);
    } catch (error) {
      throw new Error(`${nameOf(contestant)}: ${(error as Error).message}`);
    }
  }
}
