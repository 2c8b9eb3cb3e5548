import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchOptions } from './options.ts';
import type { Row } from './rows.ts';

/** What is set up, or why it is not. */
export type Found = { readonly path: string } | { readonly missing: string };

/** @throws Error with the reason if it is not there. */
export function pathOf(found: Found): string {
  if ('path' in found) return found.path;
  throw new Error(found.missing);
}

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const cache = path('../.cache');

/** @throws Error with the end of what the command wrote. */
async function command(program: string, ...args: string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output = `${output}${text}`.slice(-500);
    });
  }
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program} ${args[0]} failed: ${output.trim()}`);
}

const attempt = async (step: () => Promise<string>, what: string): Promise<Found> => {
  try {
    return { path: await step() };
  } catch (error) {
    return { missing: `${what}: ${(error as Error).message}` };
  }
};

/** A Python with PyTorch and Pillow: the one that was named, or one in a virtual environment of the benchmark. */
export function findPython({ python }: Pick<BenchOptions, 'python'>): Promise<Found> {
  return attempt(async () => {
    if (python) return python;
    const windows = process.platform === 'win32';
    const venv = join(cache, 'venv');
    const own = join(venv, ...(windows ? ['Scripts', 'python.exe'] : ['bin', 'python']));
    const requirements = path('../peers/requirements.txt');
    const [wanted, stamp] = [readFileSync(requirements, 'utf8'), join(venv, 'installed.txt')];
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return own;
    console.error('setting up Python with PyTorch …');
    await mkdir(cache, { recursive: true });
    await command(windows ? 'python' : 'python3', '-m', 'venv', venv);
    await command(own, '-m', 'pip', 'install', '--quiet', '--requirement', requirements);
    writeFileSync(stamp, wanted);
    return own;
  }, 'no Python with PyTorch');
}

/** The folder of the models: the one that was named, or one of the benchmark, made by Python at first. */
export function findModels({ models }: Pick<BenchOptions, 'models'>, python: Found): Promise<Found> {
  return attempt(async () => {
    if (models) return resolve(models);
    const folder = join(cache, 'models');
    const script = path('../peers/make_models.py');
    const [wanted, stamp] = [readFileSync(script, 'utf8'), join(folder, 'made.txt')];
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return folder;
    const interpreter = pathOf(python);
    console.error('making the models (some minutes, 3 GB) …');
    await command(interpreter, script, folder);
    writeFileSync(stamp, wanted);
    return folder;
  }, 'no models');
}

/** What of the two a row needs. */
export function needsOf({ matches }: Row): { models: boolean; python: boolean } {
  const contestants = matches.flatMap(({ ours, peers }) => [ours, ...peers]);
  return {
    models: contestants.some(({ work }) => 'model' in work),
    python: contestants.some(({ engine }) => engine === 'PyTorch' || engine === 'sharp and Pillow'),
  };
}
