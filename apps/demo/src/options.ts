import { parseArgs } from 'node:util';
import { ConfigError } from '@mmllm/core';
import { encoders, fusions } from './composition';
import { recipes } from './recipes';

const backends = ['auto', 'webgpu', 'wasm', 'cpu'] as const;

export interface DemoOptions {
  readonly encoder: keyof typeof encoders;
  readonly fusion: keyof typeof fusions;
  readonly recipe: keyof typeof recipes;
  readonly backend: (typeof backends)[number];
  readonly seed: number;
  /** Folder of checkpoints and the log. */
  readonly runs: string;
  readonly resume: boolean;
}

export const help = `Trains a small multimodal LLM from nothing on easy-VQA, then answers questions about unseen pictures.

npm start -- [options]
  --recipe   quick (default) or long
  --encoder  siglip (default), clip or fuyu
  --fusion   unified (default), cross-attention or hybrid
  --backend  auto (default), webgpu, wasm or cpu
  --seed     an integer, default 0
  --runs     folder for checkpoints and the log, default runs
  --resume   go on where the last run with these options stopped
  --help     this text`;

/** @throws ConfigError for an unknown option or value, naming the known ones. */
export function parseOptions(args: readonly string[]): DemoOptions | 'help' {
  const { values } = parse(args);
  if (values.help) return 'help';
  return {
    encoder: oneOf('--encoder', values.encoder, Object.keys(encoders) as (keyof typeof encoders)[]),
    fusion: oneOf('--fusion', values.fusion, Object.keys(fusions) as (keyof typeof fusions)[]),
    recipe: oneOf('--recipe', values.recipe, Object.keys(recipes) as (keyof typeof recipes)[]),
    backend: oneOf('--backend', values.backend, backends),
    seed: integer('--seed', values.seed),
    runs: values.runs,
    resume: values.resume,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        encoder: { type: 'string', default: 'siglip' },
        fusion: { type: 'string', default: 'unified' },
        recipe: { type: 'string', default: 'quick' },
        backend: { type: 'string', default: 'auto' },
        seed: { type: 'string', default: '0' },
        runs: { type: 'string', default: 'runs' },
        resume: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (cause) {
    const actual = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError({ component: 'options', expected: 'the options of --help', actual, cause });
  }
}

function oneOf<T extends string>(option: string, value: string, known: readonly T[]): T {
  if ((known as readonly string[]).includes(value)) return value as T;
  throw new ConfigError({ component: option, expected: known.join(', '), actual: `'${value}'` });
}

export function integer(option: string, value: string): number {
  if (/^\d+$/.test(value)) return Number(value);
  throw new ConfigError({ component: option, expected: 'a whole number from 0', actual: `'${value}'` });
}

/** Names a run by all that decides its result, so that no other run takes its folder. */
export const runName = ({ recipe, encoder, fusion, backend, seed }: DemoOptions): string =>
  [recipe, encoder, fusion, backend, `seed${seed}`].join('-');
