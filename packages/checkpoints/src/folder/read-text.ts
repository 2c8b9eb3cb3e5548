import { CheckpointError } from '@mmllm/core';
import { type ReadOptions, readExactly } from '../source';
import type { FolderReader } from '../storage/storage';
import type { JsonObject } from './files';

/** No configuration and no tokenizer comes near this; a hostile file may. */
const MAX_TEXT_BYTES = 2 ** 28;

/** @throws CheckpointError if the file is missing, longer than 256 MiB or not in UTF-8. */
export async function readText(place: FolderReader, path: string, options?: ReadOptions): Promise<string> {
  const source = await place.open(path, options);
  try {
    if (source.size > MAX_TEXT_BYTES) {
      const actual = `${source.size}`;
      throw new CheckpointError({ component: path, expected: `at most ${MAX_TEXT_BYTES} bytes`, actual });
    }
    const bytes = await readExactly(source, 0, source.size, options);
    return decode(bytes, path);
  } finally {
    await source.close?.();
  }
}

function decode(bytes: Uint8Array, component: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CheckpointError({ component, expected: 'text in UTF-8', actual: 'other bytes', cause });
  }
}

/** @throws CheckpointError unless it is the JSON of an object. */
export function parseObject(text: string, component: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError({ component, expected: 'JSON', actual: 'text that breaks its rules', cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  const actual = Array.isArray(value) ? 'an array' : value === null ? 'null' : `a ${typeof value}`;
  throw new CheckpointError({ component, expected: 'a JSON object', actual });
}
