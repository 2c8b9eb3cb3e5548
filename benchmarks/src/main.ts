import { writeFile } from 'node:fs/promises';
import type { Place } from './contestant.ts';
import { makeJpeg } from './jpeg-file.ts';
import { makeFile } from './load-file.ts';
import { busyWarning, describeRun } from './machine.ts';
import { measureMatch } from './measure.ts';
import { type BenchOptions, parseOptions, USAGE } from './options.ts';
import { printProfiles } from './print-profiles.ts';
import { GPU_ROWS, ROWS, type Row, selectRows } from './rows.ts';
import { type Found, findModels, findPython, needsOf } from './setup.ts';
import { jsonRow, markdownTable, type RowResult } from './table.ts';

/** Measures a row, unless something that it needs is missing or a match fails. */
async function measureRow(row: Row, rounds: number, place: Place, missing?: string): Promise<RowResult> {
  if (missing !== undefined) return { row, matches: [], missing };
  try {
    const matches = [];
    for (const match of row.matches) matches.push(await measureMatch(row, match, rounds, place));
    return { row, matches };
  } catch (error) {
    return { row, matches: [], missing: (error as Error).message };
  }
}

async function bench(options: BenchOptions): Promise<void> {
  const { backend, rounds, only, json } = options;
  const rows = selectRows(backend === 'webgpu' ? GPU_ROWS : ROWS, only);
  const needs = rows.map(needsOf);
  const wants = { models: needs.some((need) => need.models), python: needs.some((need) => need.python) };
  const unused: Found = { path: '' };
  const python = wants.python || (wants.models && !options.models) ? await findPython(options) : unused;
  const models = wants.models ? await findModels(options, python) : unused;
  const place: Place = { backend, models: pathOf(models), python: pathOf(python) };
  await makeFiles(rows);
  const results: RowResult[] = [];
  for (const [i, row] of rows.entries()) {
    console.error(`${row.name} …`);
    const lacking = [needs[i].models && models, needs[i].python && python].find(
      (found) => found && 'missing' in found,
    );
    const missing = lacking && 'missing' in lacking ? lacking.missing : undefined;
    const result = await measureRow(row, rounds, place, missing);
    results.push(result);
    console.error(JSON.stringify(jsonRow(result)));
  }
  console.log(markdownTable(results));
  if (json) await writeFile(json, `${JSON.stringify(results.map(jsonRow), null, 2)}\n`);
}

/** What is loaded in some rows. */
async function makeFiles(rows: readonly Row[]): Promise<void> {
  for (const { work } of rows.flatMap(({ matches }) => matches.map(({ ours }) => ours))) {
    if (work.kind === 'load') await makeFile(work.stored);
    if (work.kind === 'preprocess') await makeJpeg(work);
  }
}

const pathOf = (found: Found): string => ('path' in found ? found.path : '');

const options = parseOptions(process.argv.slice(2));
if (options.help) {
  console.log(USAGE);
} else if (options.profile) {
  await printProfiles(options.profile, options);
} else {
  const warning = await busyWarning();
  if (warning) console.error(warning);
  await bench(options);
  console.log(`\n${[describeRun(options.rounds), warning].filter(Boolean).join('. ')}`);
}
process.exit();
