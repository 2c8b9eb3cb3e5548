import { open } from 'node:fs/promises';
import { CheckpointError } from '@mmllm/core';
import { type ByteSource, checkRange, type ReadIntoOptions } from '../source';
import { wrapSystemError } from './errors';

/** Bytes a single system call is asked for: the signal is checked between calls, and 2 GiB would be too many. */
export const MAX_CALL_BYTES = 1 << 26;

/**
 * Opens a file for reading by range. The caller closes it.
 * @throws CheckpointError if there is no such file or it cannot be read.
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const expected = 'a readable file';
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw wrapSystemError(error, path, expected);
  });
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw new CheckpointError({ component: path, expected, actual: 'something else, such as a folder' });
  }
  const source = {
    name: path,
    size: stat.size,

    async read(start: number, end: number, { signal, into }: ReadIntoOptions = {}) {
      signal?.throwIfAborted();
      checkRange(source, start, end);
      const bytes = memoryFor(end - start, into);
      for (let filled = 0; filled < bytes.byteLength; ) {
        const length = Math.min(bytes.byteLength - filled, MAX_CALL_BYTES);
        const { bytesRead } = await handle
          .read(bytes, filled, length, start + filled)
          .catch((error: unknown) => {
            throw wrapSystemError(error, path, expected);
          });
        signal?.throwIfAborted();
        if (bytesRead === 0) {
          const actual = `an end at ${start + filled}`;
          throw new CheckpointError({
            component: path,
            expected: `${stat.size} bytes as when opened`,
            actual,
          });
        }
        filled += bytesRead;
      }
      return bytes;
    },

    close: () => handle.close(),
  };
  return source;
}

function memoryFor(size: number, into: Uint8Array | undefined): Uint8Array {
  if (into && into.byteLength >= size) return into.subarray(0, size);
  // A buffer of its own, unlike `allocUnsafe`'s, starts at address 0, so that its elements can be read in place.
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
}
