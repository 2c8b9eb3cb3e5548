import { readFileSync } from 'node:fs';
import { bufferSource } from '@mmllm/checkpoints';
import { type GgufFile, openGguf } from '@mmllm/checkpoints/gguf';

const fixtures = new URL('../../../../fixtures/gguf/', import.meta.url);

/** A file below `fixtures/gguf`. */
export const readGgufFixture = (name: string): Uint8Array => readFileSync(new URL(name, fixtures));

/** Opens one of them; all of it is in memory. */
export const openGgufFixture = (name: string): Promise<GgufFile> =>
  openGguf(bufferSource(readGgufFixture(name), name));
