import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileStorage } from '@mmllm/checkpoints/node';
import { CheckpointError, ConfigError } from '@mmllm/core';
import { formatInspection, type Inspection, inspectConfig, storedWeights } from '../inspect';
import { parseArguments } from './arguments';
import type { Command } from './command';

export const inspect: Command = {
  summary: 'what is in a model: components, parameters, bytes, tokens per picture',
  help: `mmllm inspect FOLDER|CONFIG.json [--json]

Builds what a config.json of Hugging Face describes, shape-only: nothing is allocated, so any size is counted in moments. Of a folder the weight
files' headers are read, too, for the type and the size that the weights are stored in.

  --json  {modelType, parameters, components, dtype, bytes, tokensPerImage, tree} instead`,

  async run(args) {
    const { values, positionals } = parseArguments('inspect', args, {
      json: { type: 'boolean' },
    });
    const [path, ...more] = positionals;
    if (path === undefined || more.length > 0) {
      const actual = `${positionals.length}`;
      throw new ConfigError({ component: 'mmllm inspect', expected: 'one folder or config.json', actual });
    }
    const inspection = await inspectPath(path);
    console.log(values.json ? JSON.stringify(inspection) : formatInspection(inspection));
    return 0;
  },
};

async function inspectPath(path: string): Promise<Inspection> {
  const found = await stat(path).catch(() => undefined);
  if (!found)
    throw new CheckpointError({ component: path, expected: 'a folder or a file', actual: 'nothing there' });
  const file = found.isDirectory() ? join(path, 'config.json') : path;
  const inspection = await inspectConfig(await readJson(file));
  const stored = found.isDirectory() ? await storedWeights(fileStorage(path)) : undefined;
  return { ...inspection, ...stored };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new CheckpointError({
      component: path,
      expected: 'a readable JSON file',
      actual: (cause as Error).message,
      cause,
    });
  }
}
