import { afterAll, expect, it } from 'vitest';
import { opfsStorage } from '../browser/storage';
import { openModelFolder } from '../folder/open';
import { encodeSafetensors } from '../safetensors/encode';
import { hubFiles } from './files';

const folder = `test-${crypto.randomUUID()}`;
afterAll(async () => (await navigator.storage.getDirectory()).removeEntry(folder, { recursive: true }));

const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const files: Record<string, Uint8Array<ArrayBuffer>> = {
  'config.json': new TextEncoder().encode('{"model_type":"tiny"}') as Uint8Array<ArrayBuffer>,
  'model.safetensors': encodeSafetensors([['a', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }]]),
};

/** The Hub, as far as a page asks it. */
function answer(url: string, { headers }: RequestInit): Response {
  if (url.includes('/revision/')) return Response.json({ id: 'some/model', sha: COMMIT, lastModified: 0 });
  if (url.includes('/tree/')) {
    const entries = Object.entries(files).map(([path, { byteLength: size }], i) => ({
      type: 'file',
      path,
      size,
      oid: `${i}`.repeat(40),
    }));
    return Response.json(entries);
  }
  const bytes = files[url.slice(url.lastIndexOf('/') + 1)]!;
  const [start, last] = (headers as Record<string, string>)
    .Range!.slice('bytes='.length)
    .split('-')
    .map(Number);
  const end = Math.min(last! + 1, bytes.byteLength);
  const range = `bytes ${start}-${end - 1}/${bytes.byteLength}`;
  return new Response(bytes.slice(start, end), { status: 206, headers: { 'Content-Range': range } });
}

it('a model of the Hub is read in a browser, and again from its private file system', async () => {
  const asked: string[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    asked.push(url);
    return answer(url, init);
  };
  const read = async (offline: boolean) => {
    const options = { storage: opfsStorage(folder), hubUrl: 'https://hub.test', fetch, offline };
    const model = await openModelFolder(await hubFiles('some/model', options));
    return [await model.config(), await (await model.weights()).read('a')];
  };
  const expected = [{ model_type: 'tiny' }, Float32Array.of(1, 2)];
  expect(await read(false)).toEqual(expected);
  expect(asked.length).toBe(4);
  expect(await read(true)).toEqual(expected);
  expect(asked.length).toBe(4);
});
