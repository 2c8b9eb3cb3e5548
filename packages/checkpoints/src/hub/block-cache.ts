import { type ByteSource, checkRange, type ReadOptions, readExactly } from '../source';
import type { CheckpointStorage } from '../storage/storage';

export const BLOCK_BYTES = 2 ** 23;

/**
 * A slow source whose bytes are kept in a storage, in blocks that are fetched when first asked for. What broke off goes
 * on with the next missing block, also in another session.
 * @param folder of this content alone: the blocks in it are taken as they are.
 */
export async function blockCache(
  source: ByteSource,
  storage: CheckpointStorage,
  folder: string,
  blockBytes = BLOCK_BYTES,
): Promise<ByteSource> {
  const { name, size } = source;
  const stored = new Set(await storage.list(folder));
  // The last one stays in memory for the next small tensor.
  let recent: { index: number; bytes: Promise<Uint8Array> } | undefined;

  /** A whole block, from the storage or the source. */
  async function load(index: number, signal?: AbortSignal): Promise<Uint8Array> {
    const path = `${folder}/${blockBytes}-${index}`;
    const start = index * blockBytes;
    const end = Math.min(start + blockBytes, size);
    if (stored.has(path)) {
      const block = await storage.open(path, { signal });
      try {
        if (block.size === end - start) return await readExactly(block, 0, block.size, { signal });
      } finally {
        await block.close?.();
      }
    }
    const bytes = await readExactly(source, start, end, { signal });
    await storage.write(path, bytes, { signal });
    stored.add(path);
    return bytes;
  }

  async function block(index: number, signal?: AbortSignal): Promise<Uint8Array> {
    if (recent?.index === index) {
      const bytes = await recent.bytes.catch(() => undefined);
      signal?.throwIfAborted();
      if (bytes) return bytes;
    }
    const bytes = load(index, signal);
    recent = { index, bytes };
    return bytes;
  }

  async function read(start: number, end: number, { signal }: ReadOptions = {}): Promise<Uint8Array> {
    signal?.throwIfAborted();
    checkRange(source, start, end);
    const first = Math.floor(start / blockBytes);
    if (start === end) return new Uint8Array();
    if (end <= (first + 1) * blockBytes) {
      return (await block(first, signal)).subarray(start - first * blockBytes, end - first * blockBytes);
    }
    const bytes = new Uint8Array(end - start);
    for (let index = first; index * blockBytes < end; index++) {
      const offset = index * blockBytes;
      const part = await block(index, signal);
      const wanted = part.subarray(Math.max(start - offset, 0), end - offset);
      bytes.set(wanted, Math.max(offset - start, 0));
    }
    return bytes;
  }

  return { name, size, read, close: async () => source.close?.() };
}
