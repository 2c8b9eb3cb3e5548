import { CheckpointError } from '@mmllm/core';

export interface ReadOptions {
  /** Aborting rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface ReadIntoOptions extends ReadOptions {
  /** Memory that may be used for the bytes, if it is large enough; the result is a view of it then. */
  into?: Uint8Array;
}

/** Bytes that can be read by range: a file, a blob, a buffer, a URL. */
export interface ByteSource {
  /** What error messages call it: a path or a URL without secrets. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /**
   * Bytes `start` to `end` (exclusive). The result may be a view of the source's own memory: do not write to it.
   * @throws CheckpointError if the range lies outside the source or cannot be read.
   * @throws DownloadError if it has to be fetched and cannot be.
   */
  read(start: number, end: number, options?: ReadIntoOptions): Promise<Uint8Array>;
  close?(): Promise<void>;
}

/** @throws CheckpointError unless 0 ≤ `start` ≤ `end` ≤ `source.size`. */
export function checkRange(source: { name: string; size: number }, start: number, end: number): void {
  const valid = Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end;
  if (valid && end <= source.size) return;
  throw new CheckpointError({
    component: source.name,
    expected: `a byte range within its ${source.size} bytes`,
    actual: `${start} to ${end}`,
  });
}

/** Reads a range and makes sure that all of it came. */
export async function readExactly(
  source: ByteSource,
  start: number,
  end: number,
  options?: ReadIntoOptions,
): Promise<Uint8Array> {
  const bytes = await source.read(start, end, options);
  if (bytes.byteLength === end - start) return bytes;
  throw new CheckpointError({
    component: source.name,
    expected: `${end - start} bytes from ${start}`,
    actual: `${bytes.byteLength}`,
  });
}

/** Reads from memory without copying; the buffer must not change meanwhile. */
export function bufferSource(data: ArrayBuffer | Uint8Array, name = 'buffer'): ByteSource {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const source = {
    name,
    size: bytes.byteLength,
    async read(start: number, end: number, { signal }: ReadOptions = {}) {
      signal?.throwIfAborted();
      checkRange(source, start, end);
      return bytes.subarray(start, end);
    },
  };
  return source;
}

/** Reads a `Blob` or a `File` from a browser's file picker, range by range. */
export function blobSource(blob: Blob, name = 'name' in blob ? String(blob.name) : 'blob'): ByteSource {
  const source = {
    name,
    size: blob.size,
    async read(start: number, end: number, { signal }: ReadOptions = {}) {
      signal?.throwIfAborted();
      checkRange(source, start, end);
      const bytes = await blob
        .slice(start, end)
        .arrayBuffer()
        .catch((cause: unknown) => {
          // A file that was changed or removed after it was picked.
          throw new CheckpointError({
            component: name,
            expected: 'a readable file',
            actual: `${cause}`,
            cause,
          });
        });
      signal?.throwIfAborted();
      return new Uint8Array(bytes);
    },
  };
  return source;
}
