import { CheckpointError, DownloadError } from '@mmllm/core';
import { afterEach, describe, expect, it } from 'vitest';
import { openSafetensors } from '../safetensors/file';
import { readCase } from '../safetensors/fixtures';
import { failure, TOKEN as SECRET } from '../testing/failure';
import { type SendOptions, sendFile, startServer, type TestServer } from '../testing/server';
import { type HttpOptions, httpSource } from './source';

const FILE = Uint8Array.from({ length: 10_000 }, (_, index) => (index * 7) % 251);

let server: TestServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Serves a file; `faults` may answer the n-th request otherwise, with a status or with options. */
async function serve(
  bytes: Uint8Array,
  faults: (n: number) => number | SendOptions | undefined = () => undefined,
) {
  let count = 0;
  server = await startServer((_, request, response) => {
    const fault = faults(count++);
    if (typeof fault === 'number') response.writeHead(fault).end(SECRET);
    else sendFile(request, response, bytes, fault);
  });
  return server;
}

const quick: HttpOptions = { retryDelay: 1, readAhead: 100 };
const open = (options: HttpOptions = {}, path = '/file.bin') =>
  httpSource(`${server!.url}${path}?token=${SECRET}#${SECRET}`, {
    headers: { Authorization: `Bearer ${SECRET}` },
    ...quick,
    ...options,
  });

describe('httpSource', () => {
  it('reads ranges and sends the headers', async () => {
    await serve(FILE);
    const source = await open();
    expect(source.size).toBe(10_000);
    expect(source.name).toBe(`${server!.url}/file.bin`);
    for (const [start, end] of [
      [0, 10],
      [5000, 5003],
      [4990, 9999],
      [9999, 10_000],
      [3, 3],
    ] as const) {
      expect(await source.read(start, end)).toEqual(FILE.subarray(start, end));
    }
    for (const { authorization } of server!.headers) expect(authorization).toBe(`Bearer ${SECRET}`);
    await expect(source.read(0, 10_001)).rejects.toThrow(CheckpointError);
  });

  it('opens a safetensors file and reads its many small tensors in few requests', async () => {
    const bytes = readCase('clip/quick-gelu/model/model.safetensors');
    await serve(bytes);
    const file = await openSafetensors(await open({ readAhead: 2 ** 17 }));
    for (const [name, { start, end }] of file.tensors) {
      expect(Buffer.compare((await file.read(name)).data, bytes.subarray(start, end))).toBe(0);
    }
    expect(file.tensors.size).toBeGreaterThan(50);
    expect(server!.log.length).toBeLessThanOrEqual(Math.ceil(bytes.byteLength / 2 ** 17));
    await file.close();
  });

  it('shares a request between readers of the same part', async () => {
    await serve(FILE);
    const source = await open();
    const parts = await Promise.all([0, 10, 20, 30].map((at) => source.read(5000 + at, 5010 + at)));
    expect(parts.flatMap((part) => [...part])).toEqual([...FILE.subarray(5000, 5040)]);
    expect(server!.log).toEqual(['GET /file.bin bytes=0-99', 'GET /file.bin bytes=5000-5099']);
  });

  it('takes small and empty files with one request, with ranges or without', async () => {
    await serve(FILE.subarray(0, 60));
    expect(await (await open()).read(10, 60)).toEqual(FILE.subarray(10, 60));
    expect(server!.log.length).toBe(1);
    await server!.close();
    await serve(FILE.subarray(0, 60), () => ({ ignoreRange: true }));
    expect(await (await open()).read(10, 60)).toEqual(FILE.subarray(10, 60));
    await server!.close();
    await serve(new Uint8Array());
    expect((await open()).size).toBe(0);
  });

  it('says that a server gives no ranges, or takes the whole file when told to', async () => {
    await serve(FILE, () => ({ ignoreRange: true }));
    expect((await failure(open())).message).toMatch(/gives ranges.*got status 200.*wholeDownload/);
    const source = await open({ wholeDownload: true });
    expect(await source.read(5000, 5100)).toEqual(FILE.subarray(5000, 5100));
  });

  it('refuses a file that changed between requests', async () => {
    await serve(FILE, (n) => ({ etag: n === 0 ? '"1"' : '"2"' }));
    const source = await open();
    expect((await failure(source.read(5000, 6000))).message).toMatch(/another ETag.*open it again/);
    await server!.close();
    let length = 10_000;
    server = await startServer((_, request, response) => {
      sendFile(request, response, FILE.subarray(0, length));
      length = 9_000;
    });
    const shrinking = await open();
    expect((await failure(shrinking.read(5000, 6000))).message).toMatch(/10000 bytes as before, got 9000/);
  });

  it('refuses another range than the one it asked for, and none', async () => {
    let header: string | undefined = 'bytes 0-98/10000';
    server = await startServer((_, __, response) => {
      if (header) response.setHeader('Content-Range', header);
      response.writeHead(206).end(FILE.subarray(0, 100));
    });
    expect((await failure(open())).message).toMatch(/bytes 0 to 100, got bytes 0 to 99 of 10000/);
    header = `bytes 0-99/* ${SECRET}`;
    expect((await failure(open())).message).toMatch(/Content-Range.*got another text/);
    header = undefined;
    expect((await failure(open())).message).toMatch(/Content-Range.*got none.*Expose-Headers/);
  });

  it.each([408, 429, 500, 502, 503])('tries again after status %i, up to the count', async (status) => {
    await serve(FILE, (n) => (n < 3 ? status : undefined));
    expect((await open()).size).toBe(10_000);
    expect(server!.log.length).toBe(4);
    await server!.close();
    await serve(FILE, () => status);
    const error = await failure<DownloadError>(open({ retries: 2 }));
    expect(DownloadError.isInstance(error)).toBe(true);
    expect(error.status).toBe(status);
    expect(server!.log.length).toBe(3);
  });

  it.each([400, 401, 403, 404, 410])('does not try again after status %i', async (status) => {
    await serve(FILE, () => status);
    expect(await failure(open())).toMatchObject({ code: 'download', status });
    expect(server!.log.length).toBe(1);
  });

  it('goes on where a connection broke', async () => {
    await serve(FILE, (n) => (n > 0 && n < 4 ? { breakAfter: 1000 } : undefined));
    const source = await open({ retries: 1 });
    expect(await source.read(2000, 9000)).toEqual(FILE.subarray(2000, 9000));
    expect(server!.log.slice(1)).toEqual(
      [2000, 3000, 4000, 5000].map((start) => `GET /file.bin bytes=${start}-8999`),
    );
  });

  it('gives up when no byte comes', async () => {
    await serve(FILE, (n) => (n > 0 ? { breakAfter: 0 } : undefined));
    const source = await open({ retries: 3 });
    expect(await failure(source.read(2000, 9000))).toMatchObject({ code: 'download', status: undefined });
    expect(server!.log.length).toBe(5);
  });

  it('says that nothing answers, without the words of the platform', async () => {
    await serve(FILE);
    await server!.close();
    const refused = await failure(open({ retries: 1 }));
    expect(refused.message).toMatch(/an answer, got none \(ECONNREFUSED\).*connection/);
    const chatty = async () => {
      throw new TypeError(`no way to ${SECRET}`);
    };
    expect((await failure(open({ retries: 0, fetch: chatty }))).message).toMatch(/got none\./);
    const broken = { Authorization: `Bearer ${SECRET}\n` };
    await failure(open({ headers: broken, retries: 0 }));
    expect((await failure(httpSource(`no url ${SECRET}`))).message).toMatch(/an absolute URL/);
  });

  it('stops when told to, with the reason', async () => {
    await serve(FILE, (n) => (n === 0 ? undefined : 503));
    const whole = new AbortController();
    const source = await open({ retryDelay: 60_000, signal: whole.signal });
    const one = new AbortController();
    const reading = source.read(5000, 6000, { signal: one.signal });
    setTimeout(() => one.abort(new Error('enough')), 20);
    await expect(reading).rejects.toThrow('enough');
    const another = source.read(5000, 6000);
    setTimeout(() => whole.abort(new Error('all over')), 20);
    await expect(another).rejects.toThrow('all over');
    await expect(open({ signal: whole.signal })).rejects.toThrow('all over');
  });

  it('gives a reader its bytes when another one gave up', async () => {
    await serve(FILE, (n) => (n === 1 ? 503 : undefined));
    const source = await open({ retryDelay: 200 });
    const controller = new AbortController();
    const first = source.read(5000, 5010, { signal: controller.signal });
    const second = source.read(5010, 5020);
    controller.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    expect(await second).toEqual(FILE.subarray(5010, 5020));
  });
});
