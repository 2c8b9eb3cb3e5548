import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TEMPORARY_PREFIX } from '../storage/names';
import { systemCode } from './errors';

/** Names that this process is filling now. */
const live = new Set<string>();

/**
 * Runs `use` with the path of a temporary file or folder in `root`, which `use` makes and moves to its place. Whatever
 * is still there afterwards is removed.
 */
export async function withTemporary<T>(root: string, use: (path: string) => Promise<T>): Promise<T> {
  const name = `${TEMPORARY_PREFIX}${process.pid}-${crypto.randomUUID()}`;
  const path = join(root, name);
  live.add(name);
  try {
    return await use(path);
  } finally {
    await rm(path, { recursive: true, force: true });
    live.delete(name);
  }
}

/** Removes what runs that were killed have left in `root`; what a living process writes stays. */
export async function removeStale(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (!name.startsWith(TEMPORARY_PREFIX) || live.has(name)) continue;
    const owner = Number.parseInt(name.slice(TEMPORARY_PREFIX.length), 10);
    if (owner !== process.pid && isAlive(owner)) continue;
    await rm(join(root, name), { recursive: true, force: true });
  }
}

/** Whether a process of that number runs. */
export function isAlive(pid: number): boolean {
  try {
    // Signal 0 only asks whether the process is there.
    return process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
