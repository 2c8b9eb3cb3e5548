import { CheckpointError, ConfigError, type DownloadError } from '@mmllm/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openModelFolder } from '../folder/open';
import { memoryStorage } from '../storage/memory';
import { failure, TOKEN } from '../testing/failure';
import { COMMIT, FILES, type HubFaults, oidOf, REPO, startHub } from '../testing/hub-server';
import { startServer, type TestServer } from '../testing/server';
import { type HubFilesOptions, hubFiles } from './files';
import type { DownloadProgress } from './options';

const servers: TestServer[] = [];
beforeEach(() => {
  for (const name of ['HF_TOKEN', 'HF_ENDPOINT', 'HF_HUB_OFFLINE']) vi.stubEnv(name, '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) await server.close();
});

async function start(faults?: HubFaults) {
  const server = await startHub(faults);
  servers.push(server);
  return server;
}

const connect = (server: TestServer, options: HubFilesOptions = {}) =>
  hubFiles(REPO, { hubUrl: server.url, token: TOKEN, retryDelay: 1, ...options });

describe('hubFiles', () => {
  it('lists a model at its commit and reads it as a folder', async () => {
    const server = await start();
    const files = await connect(server, { revision: 'refs/pr/1' });
    expect(files.commit).toBe(COMMIT);
    expect(await files.list()).toEqual(Object.keys(FILES).sort());
    expect(await files.list('onnx')).toEqual(['onnx/model.onnx']);
    const folder = await openModelFolder(files);
    expect(await folder.config()).toEqual({ model_type: 'tiny' });
    expect(await folder.generationConfig()).toBeUndefined();
    const weights = await folder.weights();
    expect(weights.shape('a')).toEqual([100_000]);
    expect(await weights.read('b')).toEqual(Float32Array.of(0, 1, 2));
    expect((await weights.read('a'))[99_999]).toBe(99_999);
    await folder.close();
    await expect(files.open('nothing.json')).rejects.toThrow(CheckpointError);
    // The revision, two pages of files, the configuration, the weights' beginning and their rest.
    expect(server.log.length).toBeLessThanOrEqual(7);
  });

  it('reports what comes', async () => {
    const progress: DownloadProgress[] = [];
    const files = await connect(await start(), { onProgress: (step) => progress.push(step) });
    const config = await files.open('config.json');
    expect(progress.at(-1)).toEqual({
      file: 'config.json',
      fileLoaded: 21,
      fileSize: 21,
      loaded: 21,
      total: 21,
    });
    const weights = await files.open('model.safetensors');
    await weights.read(0, weights.size);
    const total = 21 + weights.size;
    expect(progress.at(-1)).toMatchObject({ file: 'model.safetensors', fileSize: weights.size, total });
    expect(progress.at(-1)!.loaded).toBeGreaterThanOrEqual(total);
    await config.close?.();
  });

  it('takes token and address from the environment', async () => {
    const server = await start();
    vi.stubEnv('HF_TOKEN', TOKEN);
    vi.stubEnv('HF_ENDPOINT', `${server.url}/`);
    await (await hubFiles(REPO)).open('config.json');
    expect(new Set(server.headers.map(({ authorization }) => authorization))).toEqual(
      new Set([`Bearer ${TOKEN}`]),
    );
    server.headers.length = 0;
    await (await hubFiles(REPO, { token: false })).open('config.json');
    for (const { authorization } of server.headers) expect(authorization).toBeUndefined();
  });

  it('sends the token to the Hub alone, whatever it links or redirects to', async () => {
    const stranger = await startServer((_, request, response) => {
      if (request.url?.startsWith('/page')) response.end('[]');
      else response.writeHead(206, { 'Content-Range': 'bytes 0-20/21' }).end(FILES['config.json']);
    });
    servers.push(stranger);
    const server = await start({
      intercept: (path, _, response) => {
        if (path.includes('/resolve/')) response.writeHead(302, { Location: `${stranger.url}/file` }).end();
        else if (path.includes('/tree/')) response.setHeader('Link', `<${stranger.url}/page>; rel="next"`);
        return path.includes('/resolve/');
      },
    });
    const files = await connect(server);
    const source = await files.open('config.json').catch((error: unknown) => error);
    expect(stranger.log.map((line) => line.split(' ')[1])).toEqual(['/page', '/file']);
    for (const { authorization } of stranger.headers) expect(authorization).toBeUndefined();
    expect(source).not.toBeInstanceOf(Error);
  });

  it.each([
    [401, undefined, /not valid, or there is no public model 'someone\/tiny-model'.*HF_TOKEN/],
    [401, 'GatedRepo', /private or gated: ask for access/],
    [403, 'GatedRepo', /private or gated: ask for access on its page with the account of the token/],
    [404, undefined, /Check the name 'someone\/tiny-model' and the revision/],
    [404, 'RevisionNotFound', /no such branch, tag or commit/],
    [429, undefined, /wait a while/],
    [500, undefined, /expected status 200, got 500/],
  ])('says what to do after status %i (%s)', async (status, code, message) => {
    const server = await start({
      intercept: (_, request, response) => {
        const leak = JSON.stringify({ error: `no access with ${request.headers.authorization}` });
        response.writeHead(status, {
          'Content-Type': 'application/json',
          ...(code && { 'X-Error-Code': code }),
        });
        response.end(leak);
        return true;
      },
    });
    const error = await failure<DownloadError>(connect(server, { retries: 0 }));
    expect(error).toMatchObject({ code: 'download', status });
    expect(error.message).toMatch(message);
  });

  it('asks for a token where none was sent', async () => {
    const server = await start({ intercept: (_, __, response) => !!response.writeHead(401).end() });
    const error = await failure<DownloadError>(connect(server, { token: false }));
    expect(error.message).toMatch(/There is no public model.*set HF_TOKEN or pass `token`/);
  });

  it('says that a file is gone', async () => {
    const server = await start({
      intercept: (path, _, response) =>
        path.endsWith('config.json') && !!response.writeHead(404, { 'X-Error-Code': 'EntryNotFound' }).end(),
    });
    const error = await failure<DownloadError>((await connect(server)).open('config.json'));
    expect(error).toMatchObject({
      status: 404,
      message: expect.stringMatching(/no such file at this revision/),
    });
  });

  it('says that nothing answers', async () => {
    const server = await start();
    await server.close();
    const error = await failure<DownloadError>(connect(server, { retries: 1 }));
    expect(error).toMatchObject({ code: 'download', status: undefined });
    expect(error.message).toMatch(/ECONNREFUSED.*connection/);
  });

  it('refuses answers of another form', async () => {
    for (const body of ['<html>', '[]', 'null', `{"sha":"../../${TOKEN}"}`, '{"sha":1}']) {
      const server = await start({
        intercept: (_, __, response) => !!response.setHeader('Content-Type', 'application/json').end(body),
      });
      expect((await failure<CheckpointError>(connect(server))).message).toMatch(
        /127.*someone.*expected an answer with/,
      );
    }
  });

  it('refuses names, revisions and tokens that cannot be one, without quoting the token', async () => {
    for (const name of ['', 'a/b/c', '../x', 'a--b/c', 'a b', 'https://x/y']) {
      await expect(hubFiles(name)).rejects.toThrow(ConfigError);
    }
    await expect(hubFiles(REPO, { revision: '../../x' })).rejects.toThrow(CheckpointError);
    expect(await failure(hubFiles(REPO, { token: `${TOKEN}\n` }))).toBeInstanceOf(ConfigError);
  });

  it('stops when told to', async () => {
    const controller = new AbortController();
    const server = await start({
      intercept: () => {
        controller.abort(new Error('enough'));
        return true;
      },
    });
    await expect(connect(server, { signal: controller.signal })).rejects.toThrow('enough');
  });
});

describe('hubFiles with a storage', () => {
  const blob = `models--someone--tiny-model/blobs/${oidOf('model.safetensors')}`;

  it('fetches everything once, and nothing without a connection', async () => {
    const storage = memoryStorage();
    const server = await start();
    const read = async (options: HubFilesOptions) => {
      const folder = await openModelFolder(await connect(server, { storage, ...options }));
      const weights = await folder.weights();
      return [await folder.config(), await weights.read('a'), await weights.read('b')];
    };
    const first = await read({});
    const requests = server.log.length;
    expect(await read({})).toEqual(first);
    expect(server.log.slice(requests).every((line) => line.includes('/api/'))).toBe(true);
    await server.close();
    expect(await read({ retries: 0 })).toEqual(first);
    expect(await read({ offline: true })).toEqual(first);
    await expect(connect(server, { storage, offline: true, revision: 'refs/pr/1' })).rejects.toThrow(
      /revision 'refs\/pr\/1' in the storage.*Download it once/,
    );
    await expect(connect(server, { offline: true })).rejects.toThrow(/allows no request/);
    const tokenizer = await (await connect(server, { storage, offline: true })).open('tokenizer.json');
    await expect(tokenizer.read(0, 5)).rejects.toThrow(/all of 'tokenizer.json'/);
  });

  it('goes on with what is missing, and fetches what is broken again', async () => {
    const storage = memoryStorage();
    const whole = FILES['model.safetensors']!;
    const server = await start({
      send: (path) => (path.endsWith('.safetensors') ? { breakAfter: 50_000 } : undefined),
    });
    const broken = await (await connect(server, { storage, retries: 1 })).open('model.safetensors');
    // Each connection brings bytes and breaks, so that the read succeeds in the end.
    expect(await broken.read(0, whole.byteLength)).toEqual(whole);
    const [block] = await storage.list(blob);
    await storage.write(block!, new Uint8Array(5));
    const requests = server.log.length;
    const again = await (await connect(server, { storage })).open('model.safetensors');
    expect(await again.read(4, 9)).toEqual(whole.subarray(4, 9));
    expect(server.log.length).toBeGreaterThan(requests);
  });
});
