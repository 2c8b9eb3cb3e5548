import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { systemCode } from './errors';

/** Whether there is a file or folder; a link to nothing is none. */
export const exists = async (path: string): Promise<boolean> => (await statOf(path)) !== undefined;

/** Undefined if there is nothing, or if a part of the path is a file. */
export async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}
