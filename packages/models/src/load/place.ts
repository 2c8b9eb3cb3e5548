import { type FolderReader, ModelFolder, openModelFolder, opfsStorage } from '@mmllm/checkpoints';
import type { DownloadOptions } from '@mmllm/checkpoints/hub/node';
import { CheckpointError } from '@mmllm/core';

/**
 * Where a model lies: in Node a directory, anywhere a name on the Hub (`google/paligemma-3b-pt-224`), a place whose root
 * is the model's folder (`pickedFiles`, a storage), or a folder that was opened before.
 */
export type ModelPlace = string | FolderReader | ModelFolder;

export interface PlaceOptions {
  /** Of a model of the Hub: revision, token, progress of the download and more. */
  readonly hub?: Omit<DownloadOptions, 'signal' | 'files'>;
  readonly signal?: AbortSignal;
}

/** @throws CheckpointError, DownloadError if there is no such folder, or it cannot be read. */
export async function openPlace(place: ModelPlace, options: PlaceOptions): Promise<ModelFolder> {
  if (place instanceof ModelFolder) return place;
  const { signal } = options;
  if (typeof place !== 'string') return openModelFolder(place, { signal });
  return openModelFolder(await (inNode() ? nodePlace(place, options) : browserPlace(place, options)), {
    signal,
  });
}

/** A directory goes before a model of the Hub with that name. */
async function nodePlace(name: string, options: PlaceOptions): Promise<FolderReader> {
  const { fileStorage } = await nodeOnly<typeof import('@mmllm/checkpoints/node')>('@mmllm/checkpoints/node');
  const { existsSync } = await nodeOnly<typeof import('node:fs')>('node:fs');
  if (existsSync(name)) return fileStorage(name);
  if (!isHubName(name)) {
    throw new CheckpointError({
      component: name,
      expected: 'a folder with a model',
      actual: 'no such folder',
    });
  }
  const { downloadModel } = await nodeOnly<typeof import('@mmllm/checkpoints/hub/node')>(
    '@mmllm/checkpoints/hub/node',
  );
  const { hub, signal } = options;
  return fileStorage(await downloadModel(name, { ...hub, signal }));
}

async function browserPlace(name: string, { hub, signal }: PlaceOptions): Promise<FolderReader> {
  const { hubFiles } = await import('@mmllm/checkpoints/hub');
  return hubFiles(name, { storage: opfsStorage('hub'), ...hub, signal });
}

const isHubName = (name: string) => /^[\w-][\w.-]*(\/[\w.-]+)?$/.test(name);

export const inNode = (): boolean =>
  typeof (globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node === 'string';

/** By a name that bundlers cannot follow, because browsers have no use for it. */
export const nodeOnly = <T>(name: string): Promise<T> =>
  import(/* @vite-ignore */ /* webpackIgnore: true */ name);
