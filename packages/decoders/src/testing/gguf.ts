import { readFileSync } from 'node:fs';
import { bufferSource } from '@mmllm/checkpoints';
import { type GgufFile, openGguf } from '@mmllm/checkpoints/gguf';

const fixtures = new URL('../../../../fixtures/gguf/', import.meta.url);

/** Opens a file below `fixtures/gguf`; all of it is in memory. */
export const openGgufFixture = (name: string): Promise<GgufFile> =>
  openGguf(bufferSource(readFileSync(new URL(name, fixtures)), name));
