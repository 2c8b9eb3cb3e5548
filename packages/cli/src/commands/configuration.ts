import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '@mmllm/checkpoints';
import { CheckpointError } from '@mmllm/core';
import { published } from '@mmllm/models';

export interface Configuration {
  readonly json: unknown;
  /** Where it lies, if that is a folder, with weights maybe. */
  readonly folder?: string;
}

/** The configuration of a published size by its name, of a folder, or in a file. @throws CheckpointError for none of these. */
export async function readConfiguration(nameOrPath: string): Promise<Configuration> {
  const known = publishedNamed(nameOrPath);
  if (known) return { json: known };
  const found = await stat(nameOrPath).catch(() => undefined);
  if (!found) {
    throw new CheckpointError({
      component: nameOrPath,
      expected: 'a folder, a file, or the name of a published size',
      actual: 'nothing there',
      hint: 'mmllm inspect --all lists the names.',
    });
  }
  if (!found.isDirectory()) return { json: await readJson(nameOrPath) };
  return { json: await readJson(join(nameOrPath, 'config.json')), folder: nameOrPath };
}

const publishedNamed = (name: string): JsonObject | undefined =>
  Object.hasOwn(published, name) ? published[name] : undefined;

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
