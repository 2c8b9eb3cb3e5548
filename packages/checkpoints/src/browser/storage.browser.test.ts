import { CheckpointError } from '@mmllm/core';
import { afterAll, describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/open';
import { saveModelFolder } from '../folder/save';
import { bytes, readText, storageSuite } from '../storage/suite';
import { type MovableFile, UNFINISHED } from './handles';
import { directoryStorage, opfsStorage } from './storage';

const created: string[] = [];
const fresh = () => {
  const name = `test-${crypto.randomUUID()}`;
  created.push(name);
  return name;
};

afterAll(async () => {
  const root = await navigator.storage.getDirectory();
  for (const name of created) await root.removeEntry(name, { recursive: true }).catch(() => {});
});

const freshHandle = async () =>
  (await navigator.storage.getDirectory()).getDirectoryHandle(fresh(), { create: true });

storageSuite('opfsStorage', async () => opfsStorage(fresh()));
storageSuite('directoryStorage', async () => directoryStorage(await freshHandle()));

describe('a browser that cannot move files', () => {
  const prototype = FileSystemFileHandle.prototype as unknown as MovableFile;
  const { move } = prototype;
  const withoutMove = async () => {
    prototype.move = undefined;
    return opfsStorage(fresh());
  };
  afterAll(() => {
    prototype.move = move;
  });

  it('is one when this test has its way', () => expect(move).toBeTypeOf('function'));
  storageSuite('opfsStorage without move', withoutMove);
});

/** All names in a folder, also those that a storage hides. */
async function namesIn(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const names: string[] = [];
  for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) names.push(name);
  return names.sort();
}

describe('directoryStorage', () => {
  it('leaves no temporary folder, whatever fails', async () => {
    const handle = await freshHandle();
    const storage = directoryStorage(handle);
    await storage.write('file', bytes('x'));
    await storage.commit('step', () => Promise.reject(new Error('broke'))).catch(() => {});
    await storage.commit('step', (folder) => folder.write('file', bytes('x')));
    expect(await namesIn(handle)).toEqual(['file', 'step']);
    expect(await namesIn(await handle.getDirectoryHandle('step'))).toEqual(['file']);
  });

  it('does not see a folder whose page closed while its files moved in, and replaces it', async () => {
    const handle = await freshHandle();
    const half = await handle.getDirectoryHandle('step', { create: true });
    await half.getFileHandle('old', { create: true });
    await half.getFileHandle(UNFINISHED, { create: true });
    const storage = directoryStorage(handle);
    expect(await storage.list()).toEqual([]);
    await expect(storage.open('step/old')).rejects.toThrow(CheckpointError);
    await storage.commit('step', (folder) => folder.write('new', bytes('x')));
    expect(await storage.list()).toEqual(['step/new']);
  });

  it('removes what closed pages left, and not what another one writes', async () => {
    const handle = await freshHandle();
    await handle.getDirectoryHandle('.mmllm-tmp-dead', { create: true });
    await handle.getDirectoryHandle('.mmllm-tmp-alive', { create: true });
    const storage = directoryStorage(handle);
    await navigator.locks.request('.mmllm-tmp-alive', () =>
      storage.commit('outer', async (folder) => {
        await folder.write('file', bytes('outer'));
        // A second commit of this page must leave the first one's folder alone.
        await directoryStorage(handle).commit('inner', (other) => other.write('file', bytes('inner')));
      }),
    );
    expect(await namesIn(handle)).toEqual(['.mmllm-tmp-alive', 'inner', 'outer']);
    expect(await readText(storage, 'outer/file')).toBe('outer');
  });
});

describe('a model in the private file system', () => {
  it('is saved in shards and read back', async () => {
    const storage = opfsStorage(fresh());
    const tensor = (...values: number[]) => ({
      dtype: 'F32' as const,
      shape: [values.length],
      read: async () => Float32Array.from(values),
    });
    await saveModelFolder(storage, 'models/tiny', {
      config: { model_type: 'tiny' },
      weights: [
        ['a', tensor(1, 2, 3)],
        ['b', tensor(4)],
      ],
      maxShardBytes: 12,
    });
    const folder = await openModelFolder(storage, { folder: 'models/tiny' });
    const weights = await folder.weights();
    expect([...weights.keys()]).toEqual(['a', 'b']);
    expect(await weights.read('a')).toEqual(Float32Array.of(1, 2, 3));
    await folder.close();
  });
});
