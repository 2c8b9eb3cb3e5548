import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointError } from '@mmllm/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors } from '../safetensors/file';
import { casePath, readCase } from '../safetensors/fixtures';
import { toFloat32 } from '../safetensors/widen';
import { bufferSource } from '../source';
import { fileSource } from './file-source';

const CASE = 'patch-linear/p16-48px/golden.safetensors';
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mmllm-source-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('fileSource', () => {
  it('reads a safetensors file as from memory, in place', async () => {
    const onDisk = await openSafetensors(await fileSource(casePath(CASE)));
    const inMemory = await openSafetensors(bufferSource(readCase(CASE)));
    expect(onDisk.tensors).toEqual(inMemory.tensors);
    for (const name of inMemory.tensors.keys()) {
      const read = await onDisk.read(name);
      const expected = await inMemory.read(name);
      expect({ ...read, data: 0 }).toEqual({ ...expected, data: 0 });
      expect(Buffer.compare(read.data, expected.data)).toBe(0);
      expect(read.data.byteOffset).toBe(0);
      expect(toFloat32(read).buffer).toBe(read.data.buffer);
    }
    await onDisk.close();
  });

  it('checks ranges and the signal', async () => {
    const source = await fileSource(casePath(CASE));
    await expect(source.read(0, source.size + 1)).rejects.toThrow(CheckpointError);
    await expect(source.read(0, 8, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    );
    await source.close?.();
  });

  it('refuses a file that became shorter', async () => {
    const path = join(folder, 'shrinking');
    await writeFile(path, new Uint8Array(100));
    const source = await fileSource(path);
    await truncate(path, 40);
    await expect(source.read(0, 100)).rejects.toThrow(/100 bytes as when opened, got an end at 40/);
    await source.close?.();
  });

  it('refuses what is missing, and folders', async () => {
    await expect(fileSource(join(folder, 'missing'))).rejects.toMatchObject({
      code: 'checkpoint',
      actual: expect.stringMatching('ENOENT'),
    });
    await expect(fileSource(folder)).rejects.toMatchObject({ code: 'checkpoint', component: folder });
  });

  it('wraps the error of a closed file', async () => {
    const source = await fileSource(casePath(CASE));
    await source.close?.();
    await expect(source.read(0, 8)).rejects.toThrow(CheckpointError);
  });
});
