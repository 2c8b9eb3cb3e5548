import { spawnSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointError, type DownloadError } from '@mmllm/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openModelFolder } from '../folder/open';
import type { DownloadProgress } from '../hub/options';
import { failure, TOKEN } from '../testing/failure';
import { COMMIT, FILES, type HubFaults, oidOf, REPO, startHub } from '../testing/hub-server';
import type { TestServer } from '../testing/server';
import { fileStorage } from './file-storage';
import { type DownloadOptions, downloadModel } from './hub-cache';

const WANTED = ['config.json', 'model.safetensors', 'tokenizer.json'];
const WEIGHTS = FILES['model.safetensors']!;

const servers: TestServer[] = [];
let cacheDir: string;
beforeEach(async () => {
  for (const name of ['HF_TOKEN', 'HF_ENDPOINT', 'HF_HUB_OFFLINE']) vi.stubEnv(name, '');
  cacheDir = await mkdtemp(join(tmpdir(), 'mmllm-hub-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) await server.close();
  await rm(cacheDir, { recursive: true });
});

async function start(faults?: HubFaults) {
  const server = await startHub(faults);
  servers.push(server);
  return server;
}

const download = (server: TestServer, options: DownloadOptions = {}) =>
  downloadModel(REPO, { hubUrl: server.url, token: TOKEN, retryDelay: 1, cacheDir, ...options });

const repoFolder = () => join(cacheDir, 'models--someone--tiny-model');
const blobPath = () => join(repoFolder(), 'blobs', oidOf('model.safetensors'));
const fetched = (server: TestServer) => server.log.filter((line) => line.includes('/resolve/'));

describe('downloadModel', () => {
  it('fills the cache as huggingface_hub lays it out', async () => {
    const server = await start();
    const progress: DownloadProgress[] = [];
    const folder = await download(server, { onProgress: (step) => progress.push(step) });
    expect(folder).toBe(join(repoFolder(), 'snapshots', COMMIT));
    expect((await readdir(folder)).sort()).toEqual(WANTED);
    expect(await readFile(join(repoFolder(), 'refs', 'main'), 'utf8')).toBe(COMMIT);
    for (const name of WANTED) {
      expect(await readlink(join(folder, name))).toBe(join('..', '..', 'blobs', oidOf(name)));
      expect(Buffer.compare(await readFile(join(folder, name)), FILES[name]!)).toBe(0);
    }
    expect((await readdir(join(repoFolder(), 'blobs'))).length).toBe(3);
    const total = WANTED.reduce((sum, name) => sum + FILES[name]!.byteLength, 0);
    expect(progress.at(-1)).toMatchObject({ loaded: total, total });
    expect(progress.every((step) => step.total === total && step.fileLoaded <= step.fileSize)).toBe(true);

    const model = await openModelFolder(fileStorage(folder));
    expect((await (await model.weights()).read('a')).length).toBe(100_000);
    await model.close();
  });

  it('fetches nothing twice, and nothing without a connection', async () => {
    const server = await start();
    const folder = await download(server);
    const before = fetched(server).length;
    expect(await download(server, { revision: COMMIT })).toBe(folder);
    expect(await download(server, { revision: 'refs/pr/1' })).toBe(folder);
    expect(fetched(server).length).toBe(before);
    await server.close();
    for (const revision of ['main', 'refs/pr/1', COMMIT]) {
      expect(await download(server, { revision, retries: 0 })).toBe(folder);
      expect(await download(server, { revision, offline: true })).toBe(folder);
    }
    await expect(download(server, { revision: 'other', offline: true })).rejects.toThrow(
      /expected revision 'other' in .*got none.*Download it once/,
    );
    const error = await failure<DownloadError>(download(server, { revision: 'other', retries: 0 }));
    expect(error).toMatchObject({ code: 'download', status: undefined });
  });

  it('takes the files that are asked for', async () => {
    const folder = await download(await start(), { files: (path) => path.endsWith('.onnx') });
    expect(await fileStorage(folder).list()).toEqual(['onnx/model.onnx']);
  });

  it('goes on where it stopped', async () => {
    const controller = new AbortController();
    const server = await start();
    const stopped = download(server, {
      signal: controller.signal,
      onProgress: ({ file, fileLoaded }) => {
        if (file === 'model.safetensors' && fileLoaded > 0) controller.abort(new Error('enough'));
      },
    });
    await expect(stopped).rejects.toThrow('enough');
    const partial = `${blobPath()}.incomplete`;
    const { size } = await lstat(partial);
    expect(size).toBeGreaterThan(0);
    expect(size).toBeLessThan(WEIGHTS.byteLength);
    server.log.length = 0;
    const steps: DownloadProgress[] = [];
    const folder = await download(server, { onProgress: (step) => steps.push(step) });
    expect(fetched(server)[0]).toMatch(new RegExp(` bytes=${size}-${WEIGHTS.byteLength - 1}$`));
    expect(steps.find(({ file }) => file === 'model.safetensors')!.fileLoaded).toBe(size);
    expect(Buffer.compare(await readFile(join(folder, 'model.safetensors')), WEIGHTS)).toBe(0);
    expect(
      (await readdir(join(repoFolder(), 'blobs'))).filter((name) => name.includes('incomplete')),
    ).toEqual([]);
  });

  it('takes over from a process that was killed, and not from one that runs', async () => {
    const dead = spawnSync(process.execPath, ['--version']).pid;
    await mkdir(join(repoFolder(), 'blobs'), { recursive: true });
    await writeFile(`${blobPath()}.${process.ppid}-x.incomplete`, WEIGHTS.subarray(0, 500));
    await writeFile(`${blobPath()}.${dead}-x.incomplete`, WEIGHTS.subarray(0, 1000));
    const server = await start();
    await download(server);
    expect(fetched(server).some((line) => line.includes(' bytes=1000-'))).toBe(true);
    expect(
      (await readdir(join(repoFolder(), 'blobs'))).filter((name) => name.includes('incomplete')),
    ).toEqual([`${oidOf('model.safetensors')}.${process.ppid}-x.incomplete`]);
  });

  it('downloads in two places at once without harm', async () => {
    const server = await start();
    const [a, b] = await Promise.all([download(server), download(server)]);
    expect(a).toBe(b);
    expect(Buffer.compare(await readFile(join(a!, 'model.safetensors')), WEIGHTS)).toBe(0);
    expect((await readdir(join(repoFolder(), 'blobs'))).sort()).toEqual(
      WANTED.map((name) => oidOf(name)).sort(),
    );
  });

  it.each(['config.json', 'model.safetensors'])(
    'refuses another content of %s, and forgets it',
    async (name) => {
      const other = FILES[name]!.map((byte) => byte ^ 1);
      const server = await start({ content: (path) => (path === name ? other : undefined) });
      const error = await failure<CheckpointError>(download(server));
      expect(CheckpointError.isInstance(error)).toBe(true);
      expect(error.message).toMatch(/content with the hash [0-9a-f]+, got other content.*download it again/);
      const left = await readdir(join(repoFolder(), 'blobs'));
      expect(left.filter((file) => file.startsWith(oidOf(name)))).toEqual([]);
      await download(await start());
    },
  );

  it('throws away a part that is no beginning of the file', async () => {
    await mkdir(join(repoFolder(), 'blobs'), { recursive: true });
    await writeFile(`${blobPath()}.incomplete`, new Uint8Array(WEIGHTS.byteLength + 1));
    await download(await start());
    await rm(blobPath());
    await rm(join(repoFolder(), 'snapshots'), { recursive: true });
    await writeFile(`${blobPath()}.incomplete`, new Uint8Array(1000));
    await expect(download(await start())).rejects.toThrow(/other content/);
    await download(await start());
  });

  it('says what is wrong with the cache, and that a model is gone', async () => {
    const file = join(cacheDir, 'file');
    await writeFile(file, 'in the way');
    await expect(download(await start(), { cacheDir: file })).rejects.toThrow(CheckpointError);
    const server = await start({ intercept: (_, __, response) => !!response.writeHead(403).end(TOKEN) });
    expect(await failure(download(server))).toMatchObject({ code: 'download', status: 403 });
  });

  it('prints nothing', async () => {
    const spies = (['log', 'info', 'debug', 'warn', 'error'] as const).map((method) =>
      vi.spyOn(console, method).mockImplementation(() => {}),
    );
    await download(await start());
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });
});
