import { type ByteSource, checkRange, type ReadOptions, readExactly } from './source';

/** Bytes of a source that are in memory, or on their way. */
interface Window {
  start: number;
  end: number;
  bytes: Promise<Uint8Array>;
}

/**
 * Reads at least `size` bytes of a slow source at a time and keeps the last ones, so that many small tensors in a row
 * cost one read. Longer reads go straight through.
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
    if (held && held.start <= start && end <= held.end) {
      const { start: offset, bytes } = held;
      // Whoever asked for these bytes may have given up; this reader has not.
      const found = await bytes.catch(() => undefined);
      options.signal?.throwIfAborted();
      if (found) return found.subarray(start - offset, end - offset);
    }
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
