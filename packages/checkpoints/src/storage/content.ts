import { CheckpointError } from '@mmllm/core';
import type { FileContent, FolderWriter, WriteOptions } from './storage';

/** The content in chunks; checks the signal before each. */
export async function* chunksOf(content: FileContent, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  if (content instanceof Uint8Array) {
    yield content;
    return;
  }
  for await (const chunk of content) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

/**
 * Lets `fill` write through `write`, and settles only when every write has, also those that `fill` did not wait
 * for: none may run on while the folder is published or cleaned up.
 */
export async function fillFolder(
  fill: (folder: FolderWriter) => Promise<void>,
  write: FolderWriter['write'],
  signal?: AbortSignal,
): Promise<void> {
  const writes: Promise<void>[] = [];
  let done = false;
  const folder: FolderWriter = {
    write(name, content, options: WriteOptions = { signal }) {
      if (done) return Promise.reject(finished());
      const writing = write(name, content, options);
      // Its failure is reported below, also when `fill` does not wait for it.
      writing.catch(() => {});
      writes.push(writing);
      return writing;
    },
  };
  try {
    signal?.throwIfAborted();
    await fill(folder);
  } finally {
    done = true;
    await Promise.allSettled(writes);
  }
  await Promise.all(writes);
  signal?.throwIfAborted();
}

const finished = () =>
  new CheckpointError({ component: 'storage', expected: 'an open folder', actual: 'a finished commit' });
