/** For tests: what every storage must do. Not exported from the package. */
import { CheckpointError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import type { CheckpointStorage } from './storage';

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Chunks, and then a failure if there is one. */
export async function* chunks(texts: readonly string[], failure?: Error): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytes(text);
  if (failure) throw failure;
}

export async function readText(storage: CheckpointStorage, name: string): Promise<string> {
  const source = await storage.open(name);
  const text = new TextDecoder().decode(await source.read(0, source.size));
  await source.close?.();
  return text;
}

export function storageSuite(name: string, create: () => Promise<CheckpointStorage>): void {
  describe(name, () => {
    it('keeps files, replaces and removes them', async () => {
      const storage = await create();
      expect(await storage.list()).toEqual([]);
      await storage.write('b.json', bytes('one'));
      await storage.write('runs/first/a.bin', chunks(['t', '', 'wo']));
      await storage.write('empty', chunks([]));
      expect(await storage.list()).toEqual(['b.json', 'empty', 'runs/first/a.bin']);
      expect(await readText(storage, 'b.json')).toBe('one');
      expect(await readText(storage, 'runs/first/a.bin')).toBe('two');
      expect(await readText(storage, 'empty')).toBe('');

      await storage.write('b.json', chunks(['three']));
      expect(await readText(storage, 'b.json')).toBe('three');
      await storage.remove('b.json');
      await storage.remove('b.json');
      expect(await storage.list()).toEqual(['empty', 'runs/first/a.bin']);
    });

    it('lists and removes folders', async () => {
      const storage = await create();
      for (const path of ['a/x', 'a/b/y', 'ab/z', 'a.txt']) await storage.write(path, bytes(path));
      expect(await storage.list('a')).toEqual(['a/b/y', 'a/x']);
      expect(await storage.list('a/b')).toEqual(['a/b/y']);
      expect(await storage.list('nothing/here')).toEqual([]);
      await storage.remove('a');
      expect(await storage.list()).toEqual(['a.txt', 'ab/z']);
    });

    it('reads ranges', async () => {
      const storage = await create();
      await storage.write('file', bytes('0123456789'));
      const source = await storage.open('file');
      expect(source.size).toBe(10);
      expect(new TextDecoder().decode(await source.read(3, 6))).toBe('345');
      expect((await source.read(10, 10)).byteLength).toBe(0);
      await expect(source.read(5, 11)).rejects.toThrow(CheckpointError);
      await expect(source.read(0, 1, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
        'enough',
      );
      await source.close?.();
    });

    it('copies what it is given', async () => {
      const storage = await create();
      const buffer = bytes('aaa');
      await storage.write('file', buffer);
      buffer.fill(0);
      expect(await readText(storage, 'file')).toBe('aaa');
    });

    it('says which file is missing', async () => {
      const storage = await create();
      await storage.write('folder/file', bytes('x'));
      for (const path of ['nothing', 'nothing/file', 'folder/file/more']) {
        await expect(storage.open(path)).rejects.toThrow(/storage: expected a file '.*', got none/);
      }
      await expect(storage.open('folder')).rejects.toThrow(CheckpointError);
    });

    it.each([
      '',
      '/',
      '/etc/x',
      '.',
      '..',
      '../x',
      'a/../../x',
      'a/./b',
      'a//b',
      'a/',
      'a\\b',
      '..\\x',
      'C:/x',
      'C:x',
      'a\0b',
      'a\nb',
      'a.',
      'a ',
      '...',
      'con',
      'nul.json',
      'a/LPT1',
      'a?',
      'a*',
      '.mmllm-tmp-1-x',
      'a/.mmllm-tmp-x',
    ])('refuses the name %j', async (path) => {
      const storage = await create();
      const results = await Promise.allSettled([
        storage.write(path, bytes('x')),
        storage.open(path),
        storage.list(path),
        storage.remove(path),
        storage.commit(path, async () => {}),
        storage.commit('fine', (folder) => folder.write(path, bytes('x'))),
      ]);
      for (const result of results) {
        expect(result).toMatchObject({ reason: { code: 'checkpoint', component: 'storage' } });
      }
      expect(await storage.list()).toEqual([]);
    });

    it('leaves the old file when a new one fails or is aborted', async () => {
      const storage = await create();
      await storage.write('file', bytes('old'));
      await expect(storage.write('file', chunks(['ne', 'w'], new Error('broke')))).rejects.toThrow('broke');
      const controller = new AbortController();
      async function* aborting() {
        yield bytes('ne');
        controller.abort(new Error('enough'));
        yield bytes('w');
      }
      await expect(storage.write('file', aborting(), { signal: controller.signal })).rejects.toThrow(
        'enough',
      );
      await expect(storage.write('file', bytes('x'), { signal: controller.signal })).rejects.toThrow(
        'enough',
      );
      expect(await readText(storage, 'file')).toBe('old');
      expect(await storage.list()).toEqual(['file']);
    });

    it('shows a committed folder only when it is whole', async () => {
      const storage = await create();
      await storage.commit('runs/step-1', async (folder) => {
        await folder.write('config.json', bytes('{}'));
        await Promise.all(['a', 'b'].map((name) => folder.write(`deep/${name}`, chunks([name, name]))));
        expect(await storage.list()).toEqual([]);
        await expect(storage.open('runs/step-1/config.json')).rejects.toThrow(CheckpointError);
      });
      expect(await storage.list()).toEqual([
        'runs/step-1/config.json',
        'runs/step-1/deep/a',
        'runs/step-1/deep/b',
      ]);
      expect(await readText(storage, 'runs/step-1/deep/b')).toBe('bb');
    });

    it('leaves nothing of a commit that fails', async () => {
      const storage = await create();
      const failure = new Error('broke');
      await expect(
        storage.commit('step', async (folder) => {
          await folder.write('first', bytes('x'));
          await folder.write('second', chunks(['x', 'x'], failure));
        }),
      ).rejects.toBe(failure);
      await expect(
        storage.commit('step', async (folder) => {
          await folder.write('first', bytes('x'));
          throw failure;
        }),
      ).rejects.toBe(failure);
      expect(await storage.list()).toEqual([]);
      await storage.commit('step', (folder) => folder.write('file', bytes('x')));
      expect(await storage.list()).toEqual(['step/file']);
    });

    it('leaves nothing of a commit that is aborted, at any moment', async () => {
      const storage = await create();
      for (let moment = 0; moment < 4; moment++) {
        const controller = new AbortController();
        let passed = 0;
        const pass = () => {
          if (passed++ === moment) controller.abort(new Error('enough'));
        };
        async function* content() {
          pass();
          yield bytes('x');
          pass();
        }
        const commit = storage.commit(
          'step',
          async (folder) => {
            pass();
            await folder.write('file', content());
            pass();
          },
          { signal: controller.signal },
        );
        await expect(commit, `moment ${moment}`).rejects.toThrow('enough');
        expect(await storage.list()).toEqual([]);
      }
    });

    it('waits for writes that the callback did not wait for, and fails with them', async () => {
      const storage = await create();
      await storage.commit('good', async (folder) => {
        void folder.write('file', chunks(['a', 'b']));
      });
      expect(await readText(storage, 'good/file')).toBe('ab');
      const bad = storage.commit('bad', async (folder) => {
        folder.write('file', chunks(['a'], new Error('broke'))).catch(() => {});
      });
      await expect(bad).rejects.toThrow('broke');
      expect(await storage.list()).toEqual(['good/file']);
    });

    it('takes no writes after the commit', async () => {
      const storage = await create();
      let late: ((name: string) => Promise<void>) | undefined;
      await storage.commit('step', async (folder) => {
        late = (name) => folder.write(name, bytes('late'));
        await folder.write('file', bytes('x'));
      });
      await expect(late?.('other')).rejects.toThrow(/an open folder/);
      expect(await storage.list()).toEqual(['step/file']);
    });

    it('never changes a committed folder', async () => {
      const storage = await create();
      const fill = (text: string) => storage.commit('step', (folder) => folder.write('file', bytes(text)));
      await fill('one');
      await expect(fill('two')).rejects.toThrow(
        /expected no 'step' yet, got one that exists.*remove it first/,
      );
      expect(await readText(storage, 'step/file')).toBe('one');
      await storage.remove('step');
      await fill('two');
      expect(await readText(storage, 'step/file')).toBe('two');
    });

    it('lets one of two commits to the same folder win, whole', async () => {
      const storage = await create();
      const fill = (text: string) =>
        storage.commit('step', async (folder) => {
          await folder.write('a', bytes(text));
          await folder.write('b', bytes(text));
        });
      const results = await Promise.allSettled([fill('one'), fill('two')]);
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      for (const result of results) {
        if (result.status === 'rejected') expect(CheckpointError.isInstance(result.reason)).toBe(true);
      }
      expect(await readText(storage, 'step/a')).toBe(await readText(storage, 'step/b'));
      expect(await storage.list()).toEqual(['step/a', 'step/b']);
    });
  });
}
