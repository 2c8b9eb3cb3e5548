import { readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from './errors';
import { isAlive } from './temporary';

/** Partial files that this process writes now. */
const live = new Set<string>();

/**
 * Runs `fill` with the path of a partly written file that nobody else writes to: what an earlier run left of it, or a
 * new one. If `fill` rejects, the file stays for the next run, unless `fill` removed it; else it must be moved away.
 */
export async function withPartial<T>(path: string, fill: (partial: string) => Promise<T>): Promise<T> {
  const own = `${path}.${process.pid}-${crypto.randomUUID()}.incomplete`;
  live.add(own);
  try {
    await claim(path, own);
    return await fill(own);
  } finally {
    await rename(own, `${path}.incomplete`).catch(ignoreMissing);
    live.delete(own);
  }
}

/** Takes over what an earlier run left, if there is any: a file can be renamed by one process only. */
async function claim(path: string, own: string): Promise<void> {
  const folder = dirname(path);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(path)}.`) || !name.endsWith('.incomplete')) continue;
    const left = join(folder, name);
    const owner = Number.parseInt(name.slice(basename(path).length + 1), 10);
    if (live.has(left) || (owner !== process.pid && isAlive(owner))) continue;
    const taken = await rename(left, own).then(() => true, ignoreMissing);
    if (taken) return;
  }
}

function ignoreMissing(error: unknown): void {
  if (systemCode(error) !== 'ENOENT') throw error;
}
