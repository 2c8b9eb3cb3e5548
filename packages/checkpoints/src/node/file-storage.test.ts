import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bytes, chunks, readText, storageSuite } from '../storage/suite';
import { fileStorage } from './file-storage';

const folders: string[] = [];

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mmllm-storage-'));
  folders.push(folder);
  return folder;
}

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

storageSuite('fileStorage', async () => fileStorage(join(await temporaryFolder(), 'not', 'yet')));

describe('fileStorage on disk', () => {
  it('leaves no temporary file or folder, whatever fails', async () => {
    const root = await temporaryFolder();
    const storage = fileStorage(root);
    await storage.write('file', bytes('x'));
    await storage.commit('kept', (folder) => folder.write('file', bytes('x')));
    await storage.write('file', chunks(['x'], new Error('broke'))).catch(() => {});
    await storage
      .commit('step', (folder) => folder.write('file', chunks(['x'], new Error('broke'))))
      .catch(() => {});
    const signal = AbortSignal.abort();
    await storage
      .commit('deep/step', (folder) => folder.write('file', bytes('x')), { signal })
      .catch(() => {});
    await storage.remove('kept');
    expect(await readdir(root)).toEqual(['file']);
  });

  it('removes what a killed run left, and only that', async () => {
    const root = await temporaryFolder();
    const dead = spawnSync(process.execPath, ['--version']).pid;
    for (const owner of [dead, process.pid, process.ppid]) {
      await mkdir(join(root, `.mmllm-tmp-${owner}-x`, 'deep'), { recursive: true });
      await writeFile(join(root, `.mmllm-tmp-${owner}-x`, 'deep', 'file'), 'half');
    }
    const storage = fileStorage(root);
    expect(await storage.list()).toEqual([]);
    await storage.commit('outer', async (folder) => {
      await folder.write('file', bytes('outer'));
      // A second commit of this process must leave the first one's folder alone.
      await fileStorage(root).commit('inner', (other) => other.write('file', bytes('inner')));
    });
    expect((await readdir(root)).sort()).toEqual([`.mmllm-tmp-${process.ppid}-x`, 'inner', 'outer']);
    expect(await readText(storage, 'outer/file')).toBe('outer');
  });

  it('follows links to files, as the Hub cache has them, but not to folders', async () => {
    const root = await temporaryFolder();
    await writeFile(join(root, 'blob'), 'content');
    await mkdir(join(root, 'snapshot'));
    await symlink(join('..', 'blob'), join(root, 'snapshot', 'model.safetensors'));
    await symlink('nowhere', join(root, 'snapshot', 'broken'));
    await symlink('..', join(root, 'snapshot', 'circle'));
    const storage = fileStorage(root);
    expect(await storage.list('snapshot')).toEqual(['snapshot/model.safetensors']);
    expect(await readText(storage, 'snapshot/model.safetensors')).toBe('content');
  });

  it('turns failures of the file system into typed errors', async () => {
    const root = join(await temporaryFolder(), 'file');
    await writeFile(root, 'in the way');
    const storage = fileStorage(root);
    const results = await Promise.allSettled([
      storage.write('a', bytes('x')),
      storage.list(),
      storage.commit('a', (folder) => folder.write('b', bytes('x'))),
    ]);
    for (const result of results) {
      expect(result).toMatchObject({
        reason: { code: 'checkpoint', component: root, cause: expect.any(Error) },
      });
    }
  });
});
