import { CheckpointError } from '@mmllm/core';
import { blobSource } from '../source';
import { chunksOf, fillFolder } from '../storage/content';
import { guarded } from '../storage/guard';
import { checkName, fileMissing, folderExists, TEMPORARY_PREFIX } from '../storage/names';
import type { CheckpointStorage, FileContent, FolderWriter } from '../storage/storage';
import {
  type DirectoryHandle,
  filesBelow,
  findFolder,
  ifPresent,
  makeFolder,
  moveFile,
  UNFINISHED,
  wrapDomException,
} from './handles';

/**
 * Stores files in the origin's private file system: they stay until the page's data are deleted.
 * @param folder below which everything lies. Default: the root.
 */
export function opfsStorage(folder?: string): CheckpointStorage {
  const parts = folder === undefined ? [] : checkName(folder);
  return storageIn(
    async () => makeFolder(await privateRoot(), parts),
    `private files${folder === undefined ? '' : `/${folder}`}`,
  );
}

async function privateRoot(): Promise<FileSystemDirectoryHandle> {
  // Browsers offer it to pages over HTTPS and from this machine alone.
  const manager: Partial<StorageManager> | undefined = globalThis.navigator?.storage;
  if (manager?.getDirectory) return manager.getDirectory();
  throw unsupported('navigator.storage.getDirectory');
}

const unsupported = (missing: string) =>
  new CheckpointError({
    component: 'storage',
    expected: 'a browser with a private file system, and a page over HTTPS',
    actual: `one without ${missing}`,
  });

/**
 * Stores files in a folder that a person picked (`showDirectoryPicker({ mode: 'readwrite' })`; to read only, the default
 * mode does).
 */
export const directoryStorage = (directory: FileSystemDirectoryHandle): CheckpointStorage =>
  storageIn(async () => directory, directory.name || 'private files');

/**
 * Files are written under a temporary name and moved. A folder is filled under one, and its files are then moved into a
 * folder that nobody sees until a mark is taken out of it, since browsers cannot move folders. What a closed page left is
 * removed at the next commit: every page holds a lock of the name that it writes to.
 */
function storageIn(openRoot: () => Promise<FileSystemDirectoryHandle>, name: string): CheckpointStorage {
  const storage: CheckpointStorage = {
    async write(path, content, { signal } = {}) {
      const parts = checkName(path);
      const root = await openRoot();
      await withTemporary(root, async (temporary) => {
        await writeFile(temporary, ['file'], content, signal);
        const file = await temporary.getFileHandle('file');
        await moveFile(file, temporary, await makeFolder(root, parts.slice(0, -1)), parts.at(-1)!);
      });
    },

    async open(path, { signal } = {}) {
      signal?.throwIfAborted();
      const parts = checkName(path);
      const folder = await findFolder(await openRoot(), parts.slice(0, -1));
      const file = folder && (await ifPresent(folder.getFileHandle(parts.at(-1)!)));
      if (!file) throw fileMissing(path);
      return blobSource(await file.getFile(), path);
    },

    async list(path) {
      const folder = await findFolder(await openRoot(), path === undefined ? [] : checkName(path));
      return folder ? (await filesBelow(folder, path ?? '')).sort() : [];
    },

    async remove(path) {
      const parts = checkName(path);
      const parent = await findFolder(await openRoot(), parts.slice(0, -1));
      if (parent) await ifPresent(parent.removeEntry(parts.at(-1)!, { recursive: true }));
    },

    async commit(path, fill, { signal } = {}) {
      const parts = checkName(path);
      const root = await openRoot();
      const refuseExisting = async () => {
        if (await isTaken(root, parts)) throw folderExists(path);
      };
      await refuseExisting();
      await removeStale(root);
      await withTemporary(root, async (temporary) => {
        const write: FolderWriter['write'] = async (file, content, options) =>
          writeFile(temporary, checkName(file), content, options?.signal);
        await fillFolder(fill, write, signal);
        // Of two pages that commit to the same folder, the second finds it taken.
        await navigator.locks.request(`mmllm-commit ${name}`, async () => {
          await refuseExisting();
          await publish(temporary, root, parts);
        });
      });
    },
  };
  return guarded(storage, (error) => wrapDomException(error, name));
}

/** Whether there is a file or a finished folder at the path. */
async function isTaken(root: FileSystemDirectoryHandle, parts: readonly string[]): Promise<boolean> {
  if (await findFolder(root, parts)) return true;
  const parent = await findFolder(root, parts.slice(0, -1));
  return parent !== undefined && (await ifPresent(parent.getFileHandle(parts.at(-1)!))) !== undefined;
}

/** Moves all files into the folder at the path and lets it be seen. */
async function publish(
  from: FileSystemDirectoryHandle,
  root: FileSystemDirectoryHandle,
  parts: readonly string[],
): Promise<void> {
  const parent = await makeFolder(root, parts.slice(0, -1));
  const name = parts.at(-1)!;
  // It is not finished, and its page is gone: the lock is ours.
  await ifPresent(parent.removeEntry(name, { recursive: true }));
  const target = await parent.getDirectoryHandle(name, { create: true });
  await target.getFileHandle(UNFINISHED, { create: true });
  for (const path of await filesBelow(from, '')) {
    const folders = path.split('/');
    const file = folders.pop()!;
    const source = await makeFolder(from, folders);
    await moveFile(await source.getFileHandle(file), source, await makeFolder(target, folders), file);
  }
  await target.removeEntry(UNFINISHED);
}

/** Writes a file below a folder that nobody reads yet. */
async function writeFile(
  folder: FileSystemDirectoryHandle,
  parts: readonly string[],
  content: FileContent,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  const parent = await makeFolder(folder, parts.slice(0, -1));
  const file = await parent.getFileHandle(parts.at(-1)!, { create: true });
  if (!file.createWritable) throw unsupported('FileSystemFileHandle.createWritable');
  const stream = await file.createWritable();
  try {
    for await (const chunk of chunksOf(content, signal)) {
      await stream.write(chunk as Uint8Array<ArrayBuffer>);
    }
  } catch (error) {
    await stream.abort();
    throw error;
  }
  await stream.close();
  signal?.throwIfAborted();
}

/** Runs `use` with a new folder that is removed afterwards. */
async function withTemporary(
  root: FileSystemDirectoryHandle,
  use: (temporary: FileSystemDirectoryHandle) => Promise<void>,
): Promise<void> {
  const name = `${TEMPORARY_PREFIX}${crypto.randomUUID()}`;
  await navigator.locks.request(name, async () => {
    const temporary = await root.getDirectoryHandle(name, { create: true });
    try {
      await use(temporary);
    } finally {
      await removeTemporary(root, name);
    }
  });
}

/** Removes what closed pages left: nobody holds its lock. */
async function removeStale(root: FileSystemDirectoryHandle): Promise<void> {
  for await (const [name, handle] of (root as DirectoryHandle).entries()) {
    if (handle.kind !== 'directory' || !name.startsWith(TEMPORARY_PREFIX)) continue;
    await navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
      if (lock) await removeTemporary(root, name);
    });
  }
}

/** Waits for files that were just given up, which Chromium frees a moment later. What stays is stale to the next commit. */
async function removeTemporary(root: FileSystemDirectoryHandle, name: string): Promise<void> {
  for (let wait = 1; wait < 1000; wait *= 2) {
    try {
      await ifPresent(root.removeEntry(name, { recursive: true }));
      return;
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'NoModificationAllowedError')) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}
