import { CheckpointError } from '@mmllm/core';
import { TEMPORARY_PREFIX } from '../storage/names';

/** TypeScript lacks what directories of the File System standard can do since 2023. */
export interface DirectoryHandle extends FileSystemDirectoryHandle {
  entries(): AsyncIterableIterator<[string, FileSystemHandle]>;
}

/** Files that can be moved: in the private file system of every browser, elsewhere in some. */
export interface MovableFile extends FileSystemFileHandle {
  move?(folder: FileSystemDirectoryHandle, name: string): Promise<void>;
}

/** What a browser says when there is nothing of the name, or a folder where a file was meant. */
const ABSENT = ['NotFoundError', 'TypeMismatchError'];

/** Undefined in the place of a handle that is not there. */
export async function ifPresent<T>(handle: Promise<T>): Promise<T | undefined> {
  try {
    return await handle;
  } catch (error) {
    if (error instanceof DOMException && ABSENT.includes(error.name)) return undefined;
    throw error;
  }
}

/** Stands in a folder while its files move in: until it is gone, nobody sees the folder. */
export const UNFINISHED = `${TEMPORARY_PREFIX}unfinished`;

export const isUnfinished = async (folder: FileSystemDirectoryHandle): Promise<boolean> =>
  (await ifPresent(folder.getFileHandle(UNFINISHED))) !== undefined;

/** The folder at a path; undefined if there is none, or one that is not finished. */
export async function findFolder(
  root: FileSystemDirectoryHandle,
  parts: readonly string[],
): Promise<FileSystemDirectoryHandle | undefined> {
  let folder = root;
  for (const part of parts) {
    const next = await ifPresent(folder.getDirectoryHandle(part));
    if (!next || (await isUnfinished(next))) return undefined;
    folder = next;
  }
  return folder;
}

/** The folder at a path, made where it is not there. */
export async function makeFolder(
  root: FileSystemDirectoryHandle,
  parts: readonly string[],
): Promise<FileSystemDirectoryHandle> {
  let folder = root;
  for (const part of parts) folder = await folder.getDirectoryHandle(part, { create: true });
  return folder;
}

/** Paths of all files below a folder, without what is unfinished or temporary. */
export async function filesBelow(folder: FileSystemDirectoryHandle, prefix: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const [name, handle] of (folder as DirectoryHandle).entries()) {
    if (name.startsWith(TEMPORARY_PREFIX)) continue;
    const path = prefix === '' ? name : `${prefix}/${name}`;
    if (handle.kind === 'file') paths.push(path);
    else if (!(await isUnfinished(handle as FileSystemDirectoryHandle))) {
      paths.push(...(await filesBelow(handle as FileSystemDirectoryHandle, path)));
    }
  }
  return paths;
}

/** Puts a written file in its place, over one that is there. */
export async function moveFile(
  file: MovableFile,
  from: FileSystemDirectoryHandle,
  to: FileSystemDirectoryHandle,
  name: string,
): Promise<void> {
  if (file.move) return file.move(to, name);
  const target = await to.getFileHandle(name, { create: true });
  // What is written appears when the stream closes.
  const content = await file.getFile();
  await content.stream().pipeTo(await target.createWritable());
  await from.removeEntry(file.name);
}

/** Turns what the browser says into a typed error; others, such as an abort, pass as they are. */
export function wrapDomException(error: unknown, component: string): unknown {
  if (!(error instanceof DOMException) || error.name === 'AbortError') return error;
  return new CheckpointError({
    component,
    expected: 'a folder that can be read and written',
    actual: error.name,
    hint: error.name === 'QuotaExceededError' ? 'The browser gives this page no more room.' : undefined,
    cause: error,
  });
}
