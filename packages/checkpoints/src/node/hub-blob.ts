import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CheckpointError } from '@mmllm/core';
import { type RangeOptions, streamRange } from '../http/range';
import type { HubFile } from '../hub/api';
import { statOf } from './exists';
import { withPartial } from './partial-file';

/**
 * Downloads a file to `path`, which appears when it is whole and its hash is right. What an earlier run left is gone on
 * with.
 * @param onBytes told how many bytes were there or came.
 * @throws CheckpointError if the content is not what its identity says; it is then removed.
 */
export async function downloadBlob(
  url: string,
  file: HubFile,
  path: string,
  options: RangeOptions,
  onBytes: (count: number) => void,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await withPartial(path, async (partial) => {
    const hash = hashFor(file);
    const start = await resume(partial, file, hash);
    onBytes(start);
    const handle = await open(partial, 'a');
    try {
      for await (const chunk of streamRange(url, start, file.size, options, { size: file.size })) {
        await handle.writeFile(chunk);
        hash?.update(chunk);
        onBytes(chunk.byteLength);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (hash && hash.digest('hex') !== file.oid) {
      await rm(partial);
      throw new CheckpointError({
        component: file.path,
        expected: `content with the hash ${file.oid}`,
        actual: 'other content',
        hint: 'It was removed: download it again.',
      });
    }
    await rename(partial, path);
  });
}

/** As the Hub names content: SHA-256 of large files, git's SHA-1 of a blob for the others; undefined for what is neither. */
function hashFor({ oid, size, isXet }: HubFile): Hash | undefined {
  if (isXet) return undefined;
  if (oid.length === 64) return createHash('sha256');
  return createHash('sha1').update(`blob ${size}\0`);
}

/** The length of what is there already, which goes into the hash. More than the whole is no part of it, and removed. */
async function resume(partial: string, { size }: HubFile, hash: Hash | undefined): Promise<number> {
  const found = (await statOf(partial))?.size ?? 0;
  if (found > size) {
    await rm(partial);
    return 0;
  }
  if (found > 0 && hash) for await (const chunk of createReadStream(partial)) hash.update(chunk);
  return found;
}
