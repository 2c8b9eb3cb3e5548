import type { CheckpointStorage } from '@mmllm/checkpoints';

/** What only Node has. Bundlers leave such an import alone, so that builds for browsers neither need nor hold it. */
const load = (name: string): Promise<unknown> => import(/* @vite-ignore */ /* webpackIgnore: true */ name);

/** A folder of the file system. */
export async function openFolder(path: string): Promise<CheckpointStorage> {
  const { fileStorage } = (await load('@mmllm/checkpoints/node')) as typeof import('@mmllm/checkpoints/node');
  return fileStorage(path);
}

export interface LineWriter {
  write(line: string): Promise<void>;
  close(): Promise<void>;
}

/** Appends lines to a file; makes its folder. */
export async function openLines(path: string): Promise<LineWriter> {
  const { mkdir, open } = (await load('node:fs/promises')) as typeof import('node:fs/promises');
  const folder = path.replace(/[^/\\]*$/, '');
  if (folder) await mkdir(folder, { recursive: true });
  const file = await open(path, 'a');
  return {
    async write(line) {
      await file.write(`${line}\n`);
    },
    close: () => file.close(),
  };
}
