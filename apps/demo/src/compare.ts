import { parseArgs } from 'node:util';
import { describeBackend, startBackend } from '@mmllm/backends';
import { MmllmError } from '@mmllm/core';
import { compare, formatComparison } from './comparison';
import { integer } from './options';
import { progressLine } from './terminal';

const help = `Trains one decoder with the three ways of joining pictures and text, and prints them side by side.

npm run compare -- [options]
  --steps  of each, default 300
  --limit  first so many pictures only
  --seed   an integer, default 0
  --help   this text`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      steps: { type: 'string', default: '300' },
      limit: { type: 'string' },
      seed: { type: 'string', default: '0' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  console.log(`backend: ${describeBackend(await startBackend())}`);
  const line = progressLine();
  const rows = await compare({
    steps: integer('--steps', values.steps),
    limit: values.limit === undefined ? undefined : integer('--limit', values.limit),
    seed: integer('--seed', values.seed),
    onStep: (method, step, loss) => line.update(`${method}: step ${step}, loss ${loss.toFixed(4)}`),
  }).finally(line.end);
  console.log(formatComparison(rows));
}

try {
  await main();
} catch (error) {
  console.error(MmllmError.isInstance(error) ? `${error.name}: ${error.message}` : error);
  process.exitCode = 1;
}
