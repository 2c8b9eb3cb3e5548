import { mkdir, open, readdir, rename } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { chunksOf, fillFolder } from '../storage/content';
import { guarded } from '../storage/guard';
import { checkName, fileMissing, folderExists, TEMPORARY_PREFIX } from '../storage/names';
import type { CheckpointStorage, FileContent, FolderWriter, WriteOptions } from '../storage/storage';
import { systemCode, wrapSystemError } from './errors';
import { exists, statOf } from './exists';
import { fileSource, MAX_CALL_BYTES } from './file-source';
import { removeStale, withTemporary } from './temporary';

/**
 * Stores files below the directory `root`, which is made when first written to. Files and committed folders are
 * filled under a temporary name in `root`, flushed to the disk and renamed into place; what a killed run left
 * under such a name is removed at the next commit.
 */
export function fileStorage(root: string): CheckpointStorage {
  const base = resolve(root);
  const pathOf = (name: string) => join(base, ...checkName(name));

  const storage: CheckpointStorage = {
    async write(name, content, { signal } = {}) {
      const path = pathOf(name);
      await mkdir(base, { recursive: true });
      await withTemporary(base, async (temporary) => {
        await writeFile(temporary, content, signal);
        await publish(base, temporary, path);
      });
    },

    async open(name, { signal } = {}) {
      signal?.throwIfAborted();
      const path = pathOf(name);
      if (!(await exists(path))) throw fileMissing(path);
      return fileSource(path);
    },

    async list(folder) {
      const files = await filesBelow(folder === undefined ? base : pathOf(folder), folder ?? '');
      return files.sort();
    },

    async remove(name) {
      const path = pathOf(name);
      if (!(await exists(path))) return;
      // Under a temporary name it is gone at once, even if deleting it all takes time or is interrupted.
      await withTemporary(base, (temporary) => rename(path, temporary));
    },

    async commit(folder, fill, { signal } = {}) {
      const target = pathOf(folder);
      if (await exists(target)) throw folderExists(folder);
      await mkdir(base, { recursive: true });
      await removeStale(base);
      await withTemporary(base, async (temporary) => {
        await mkdir(temporary);
        await fillFolder(fill, writerIn(temporary), signal);
        if (await exists(target)) throw folderExists(folder);
        await publish(base, temporary, target);
      });
    },
  };
  return guarded(storage, (error) => wrapSystemError(error, base, 'a folder that can be read and written'));
}

/** Writes files into a folder that nobody reads yet. */
function writerIn(folder: string): FolderWriter['write'] {
  return async (name: string, content: FileContent, { signal }: WriteOptions = {}) => {
    const path = join(folder, ...checkName(name));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content, signal);
    await syncFolders(dirname(path), folder);
  };
}

async function writeFile(path: string, content: FileContent, signal?: AbortSignal): Promise<void> {
  const file = await open(path, 'w');
  try {
    for await (const chunk of chunksOf(content, signal)) {
      for (let written = 0; written < chunk.byteLength; ) {
        const length = Math.min(chunk.byteLength - written, MAX_CALL_BYTES);
        written += (await file.write(chunk, written, length)).bytesWritten;
        signal?.throwIfAborted();
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Moves what is complete to its place and makes that survive a power cut. */
async function publish(base: string, temporary: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rename(temporary, path);
  await syncFolders(dirname(path), base);
}

/** Flushes the entries of `folder` and of its parents up to `top`. Windows has no such call and needs none. */
async function syncFolders(folder: string, top: string): Promise<void> {
  if (process.platform === 'win32') return;
  for (let path = folder; ; path = dirname(path)) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (path === top) return;
  }
}

async function filesBelow(folder: string, prefix: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  const files: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(TEMPORARY_PREFIX)) continue;
    const path = join(folder, entry.name);
    const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) files.push(...(await filesBelow(path, name)));
    // The cache of the Hugging Face Hub links to its files. A link to a folder might lead in a circle.
    else if (entry.isFile() || (await isFile(path))) files.push(name);
  }
  return files;
}

const isFile = async (path: string): Promise<boolean> => (await statOf(path))?.isFile() ?? false;
