import { parseArgs } from 'node:util';

export interface BenchOptions {
  /** Rows to measure; all without it. */
  readonly only?: readonly string[];
  /** Timed runs of every engine. */
  readonly rounds: number;
  /** A file to write the results to. */
  readonly json?: string;
  /** A folder with models, which are made in a folder of the benchmark without it. */
  readonly models?: string;
  /** A Python with what `peers/requirements.txt` lists; one is set up without it. */
  readonly python?: string;
  readonly backend: 'wasm' | 'webgpu';
  /** Prints where our time goes in the work of these rows, and measures nothing else. */
  readonly profile?: readonly string[];
  readonly help: boolean;
}

export const USAGE = `npm run bench -- [options]
  --only NAME[,NAME]     only these rows; a name may be the beginning of several
  --rounds N             timed runs of every engine (default 5)
  --json FILE            write the results there as JSON
  --backend wasm|webgpu  what ours runs on; with webgpu the peer is PyTorch on CUDA (default wasm)
  --models DIR           models that were made before
  --python FILE          a Python with the packages of benchmarks/peers/requirements.txt
  --profile NAME[,NAME]  instead: the time of each of our kernels in the work of these rows`;

const BACKENDS = ['wasm', 'webgpu'] as const;

/** @throws Error for an option that is unknown or out of range. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      json: { type: 'string' },
      models: { type: 'string' },
      python: { type: 'string' },
      backend: { type: 'string', default: 'wasm' },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isSafeInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds: expected a positive whole number, got '${values.rounds}'`);
  }
  const backend = BACKENDS.find((name) => name === values.backend);
  if (!backend) throw new Error(`--backend: expected ${BACKENDS.join(' or ')}, got '${values.backend}'`);
  const { json, models, python, help } = values;
  return {
    only: list(values.only),
    rounds,
    json,
    models,
    python,
    backend,
    profile: list(values.profile),
    help,
  };
}

const list = (text: string | undefined): string[] | undefined =>
  text
    ?.split(',')
    .map((name) => name.trim())
    .filter(Boolean);
