import { concatBytes } from './bytes';
import { type ByteSource, checkRange, type ReadOptions, readExactly } from './source';

/** Bytes of a source that are in memory, or on their way. */
interface Window {
  start: number;
  end: number;
  bytes: Promise<Uint8Array>;
}

/**
 * Reads at least `size` bytes of a slow source at a time and keeps the last ones, so that many small tensors in a row
 * cost one read, and whoever reads from front to back fetches every byte once.
 * @param first bytes of the source's beginning that are known already.
 */
export function readAhead(source: ByteSource, size: number, first?: Uint8Array): ByteSource {
  let held: Window | undefined = first && {
    start: 0,
    end: first.byteLength,
    bytes: Promise.resolve(first),
  };

  async function read(start: number, end: number, options: ReadOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    checkRange(source, start, end);
    // Without a pause where nothing is held: readers of the same part that ask together shall find the first one's window.
    const head =
      held && held.start <= start && start < held.end ? await heldFrom(held, start, end, options) : undefined;
    if (head?.byteLength === end - start) return head;
    const from = start + (head?.byteLength ?? 0);
    const tail = await fetchFrom(from, end, options);
    return head ? concatBytes([head, tail]) : tail;
  }

  /** As many bytes from `start` as a window has; undefined if it did not come. */
  async function heldFrom(
    { start: offset, bytes }: Window,
    start: number,
    end: number,
    { signal }: ReadOptions,
  ) {
    // Whoever asked for these bytes may have given up; this reader has not.
    const found = await bytes.catch(() => undefined);
    signal?.throwIfAborted();
    return found?.subarray(start - offset, end - offset);
  }

  async function fetchFrom(start: number, end: number, options: ReadOptions): Promise<Uint8Array> {
    if (end - start >= size) return readExactly(source, start, end, options);
    const stop = Math.min(start + size, source.size);
    const window: Window = { start, end: stop, bytes: readExactly(source, start, stop, options) };
    held = window;
    try {
      return (await window.bytes).subarray(0, end - start);
    } catch (error) {
      if (held === window) held = undefined;
      throw error;
    }
  }

  return { name: source.name, size: source.size, read, close: async () => source.close?.() };
}
