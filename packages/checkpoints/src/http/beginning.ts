import { CheckpointError } from '@mmllm/core';
import { concatBytes } from '../bytes';
import {
  checkRange,
  chunksOf,
  cutShort,
  type Identity,
  noRanges,
  type RangeOptions,
  rangeHeader,
} from './range';
import { discard, publicName, request } from './request';
import { Passing, Patience } from './retry';

/** The first bytes of a file; all of it where `bytes` is as long as `size`. */
export interface Beginning extends Identity {
  size: number;
  bytes: Uint8Array;
}

/**
 * Fetches the first `length` bytes and learns the size.
 * @param takeWhole whether a server that knows no ranges may send the whole file, however long.
 */
export async function beginning(
  url: string,
  length: number,
  takeWhole: boolean,
  options: RangeOptions,
): Promise<Beginning> {
  const patience = new Patience(options);
  for (;;) {
    try {
      return await attempt(url, length, takeWhole, options);
    } catch (error) {
      await patience.endure(error, options.signal);
    }
  }
}

async function attempt(
  url: string,
  length: number,
  takeWhole: boolean,
  options: RangeOptions,
): Promise<Beginning> {
  const name = publicName(url);
  const response = await request(url, options, {
    headers: rangeHeader(0, length),
    signal: options.signal,
    accept: [200, 206, 416],
  });
  try {
    // No range lies within an empty file.
    if (response.status === 416) return emptyFile(response, name);
    if (response.status === 200) {
      const bytes = await collect(response, name, takeWhole ? Number.POSITIVE_INFINITY : length, options);
      if (!bytes) throw noRanges(name);
      return { size: bytes.byteLength, bytes };
    }
    const { size, etag } = checkRange(response, name, 0, length);
    const expected = Math.min(length, size);
    const bytes = await collect(response, name, expected, options);
    if (bytes?.byteLength !== expected)
      throw new Passing(cutShort(name, expected - (bytes?.byteLength ?? 0)));
    return { size, etag, bytes };
  } finally {
    await discard(response);
  }
}

function emptyFile(response: Response, component: string): Beginning {
  if (response.headers.get('Content-Range') === 'bytes */0') return { size: 0, bytes: new Uint8Array() };
  throw new CheckpointError({
    component,
    expected: 'a server that gives ranges of a file',
    actual: 'status 416',
  });
}

/** The whole body; undefined if it is longer than `limit`. */
async function collect(
  response: Response,
  name: string,
  limit: number,
  { signal, onBytes }: RangeOptions,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunksOf(response.body, name, signal)) {
    size += chunk.byteLength;
    if (size > limit) return undefined;
    chunks.push(chunk);
    onBytes?.(chunk.byteLength);
  }
  checkLength(response, name, size);
  return concatBytes(chunks);
}

/** `fetch` lets an answer pass whose connection ended early. */
function checkLength(response: Response, name: string, size: number): void {
  const announced = response.headers.get('Content-Length');
  if (announced === null || response.headers.has('Content-Encoding')) return;
  if (size < Number(announced)) throw new Passing(cutShort(name, Number(announced) - size));
}
