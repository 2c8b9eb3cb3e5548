import { concatBytes } from '../bytes';
import { bufferSource } from '../source';
import { chunksOf, fillFolder } from './content';
import { checkName, fileMissing, folderExists, pathsBelow } from './names';
import type { CheckpointStorage, FileContent } from './storage';

/** Keeps everything in memory: for tests, and for a browser tab that needs no checkpoint after it closes. */
export function memoryStorage(): CheckpointStorage {
  const files = new Map<string, Uint8Array>();
  const below = (folder?: string) => pathsBelow(files.keys(), folder);

  return {
    async write(name, content, { signal } = {}) {
      checkName(name);
      files.set(name, await collect(content, signal));
    },

    async open(name) {
      checkName(name);
      const bytes = files.get(name);
      if (!bytes) throw fileMissing(name);
      return bufferSource(bytes, name);
    },

    async list(folder) {
      if (folder !== undefined) checkName(folder);
      return below(folder);
    },

    async remove(name) {
      checkName(name);
      for (const path of [name, ...below(name)]) files.delete(path);
    },

    async commit(folder, fill, { signal } = {}) {
      checkName(folder);
      const refuseExisting = () => {
        if (files.has(folder) || below(folder).length > 0) throw folderExists(folder);
      };
      refuseExisting();
      const staged = new Map<string, Uint8Array>();
      const write = async (name: string, content: FileContent, options?: { signal?: AbortSignal }) => {
        checkName(name);
        staged.set(`${folder}/${name}`, await collect(content, options?.signal));
      };
      await fillFolder(fill, write, signal);
      refuseExisting();
      for (const [path, bytes] of staged) files.set(path, bytes);
    },
  };
}

/** A copy, so that the writer may reuse its buffers. */
async function collect(content: FileContent, signal?: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(content, signal)) chunks.push(new Uint8Array(chunk));
  return concatBytes(chunks);
}
