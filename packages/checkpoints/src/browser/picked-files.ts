import { CheckpointError } from '@mmllm/core';
import { quote } from '../safetensors/json';
import { blobSource } from '../source';
import { fileMissing, pathsBelow } from '../storage/names';
import type { FolderReader } from '../storage/storage';

/**
 * Files from a browser's picker or a drop, read where they are: `<input type="file" multiple>`, or with
 * `webkitdirectory`, whose paths then begin below the picked folder.
 * @throws CheckpointError if two have the same path.
 */
export function pickedFiles(files: Iterable<File>): FolderReader {
  const byPath = new Map<string, File>();
  for (const file of files) {
    const path = pathOf(file);
    if (byPath.has(path)) {
      throw new CheckpointError({
        component: 'picked files',
        expected: 'each path once',
        actual: `${quote(path)} twice`,
      });
    }
    byPath.set(path, file);
  }
  return {
    async open(name, { signal } = {}) {
      signal?.throwIfAborted();
      const file = byPath.get(name);
      if (!file) throw fileMissing(name);
      return blobSource(file, name);
    },

    async list(folder) {
      return pathsBelow(byPath.keys(), folder);
    },
  };
}

/** `webkitRelativePath` begins with the picked folder; it is empty where single files were picked. */
const pathOf = ({ name, webkitRelativePath }: File): string =>
  webkitRelativePath ? webkitRelativePath.slice(webkitRelativePath.indexOf('/') + 1) : name;
