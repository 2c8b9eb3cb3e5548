import { CheckpointError, DownloadError } from '@mmllm/core';
import { discard, noAnswer, publicName, type RequestOptions, request } from './request';
import { Passing, Patience, type RetryOptions } from './retry';

export interface RangeOptions extends RequestOptions, RetryOptions {
  /** Aborting rejects what is read with the signal's reason. */
  signal?: AbortSignal;
  /** Told how many bytes came, chunk by chunk. */
  onBytes?: (count: number) => void;
}

/** What must stay the same between requests, as far as the server tells. */
export interface Identity {
  size?: number;
  etag?: string;
}

/** An answer to a request for a range. */
export interface RangeResponse {
  body: ReadableStream<Uint8Array> | null;
  /** Of the whole file. */
  size: number;
  etag: string | undefined;
}

/**
 * Bytes `start` to `end` (exclusive) of a URL, as they come. After a failure that may pass, the request is made again
 * from where the bytes stopped.
 * @throws DownloadError when it cannot be fetched, also after `retries` failures in a row.
 * @throws CheckpointError if the file is another than `known` or gives no ranges.
 */
export async function* streamRange(
  url: string,
  start: number,
  end: number,
  options: RangeOptions,
  known: Identity = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal } = options;
  const patience = new Patience(options);
  let position = start;
  while (position < end) {
    try {
      const { body } = await requestRange(url, position, end, options, known);
      for await (const chunk of chunksOf(body, publicName(url), signal)) {
        const wanted = chunk.subarray(0, end - position);
        position += wanted.byteLength;
        if (wanted.byteLength > 0) patience.renew();
        options.onBytes?.(wanted.byteLength);
        yield wanted;
        if (position === end) return;
      }
      throw new Passing(cutShort(publicName(url), end - position));
    } catch (error) {
      await patience.endure(error, signal);
    }
  }
}

/**
 * One request for a range.
 * @throws Passing for what may work when tried again.
 */
export async function requestRange(
  url: string,
  start: number,
  end: number,
  options: RangeOptions,
  known: Identity = {},
): Promise<RangeResponse> {
  const response = await request(url, options, {
    headers: rangeHeader(start, end),
    signal: options.signal,
    accept: [200, 206],
  });
  try {
    // Some servers answer with status 200 where the range is the whole file.
    if (response.status === 200 && start === 0 && end === known.size) {
      return { body: response.body, size: known.size, etag: undefined };
    }
    if (response.status !== 206) throw noRanges(publicName(url));
    return checkRange(response, publicName(url), start, end, known);
  } catch (error) {
    await discard(response);
    throw error;
  }
}

export const rangeHeader = (start: number, end: number) => ({ Range: `bytes=${start}-${end - 1}` });

/** Checks what an answer of status 206 says about itself. */
export function checkRange(
  response: Response,
  component: string,
  start: number,
  end: number,
  known: Identity = {},
): RangeResponse {
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '');
  if (!range) {
    throw new CheckpointError({
      component,
      expected: 'a Content-Range that says which bytes of how many',
      actual: response.headers.has('Content-Range') ? 'another text' : 'none',
      hint: 'In a browser, the server must expose this header (Access-Control-Expose-Headers).',
    });
  }
  const [first, last, size] = range.slice(1).map(Number) as [number, number, number];
  if (known.size !== undefined && size !== known.size) {
    throw changed(component, `${known.size} bytes as before`, `${size}`);
  }
  const etag = response.headers.get('ETag') ?? undefined;
  if (known.etag !== undefined && etag !== undefined && etag !== known.etag) {
    throw changed(component, 'the file as before', 'another ETag');
  }
  if (first !== start || last !== Math.min(end, size) - 1) {
    throw new CheckpointError({
      component,
      expected: `bytes ${start} to ${end}`,
      actual: `bytes ${first} to ${last + 1} of ${size}`,
    });
  }
  return { body: response.body, size, etag };
}

const changed = (component: string, expected: string, actual: string) =>
  new CheckpointError({ component, expected, actual, hint: 'The file changed meanwhile: open it again.' });

export const noRanges = (component: string) =>
  new CheckpointError({
    component,
    expected: 'a server that gives ranges of a file (status 206)',
    actual: 'status 200 and the whole file',
    hint: 'Pass `wholeDownload: true` to read all of it into memory.',
  });

export const cutShort = (component: string, missing: number) =>
  new DownloadError({ component, expected: `${missing} more bytes`, actual: 'the end of the answer' });

/** The chunks of an answer's body. @throws Passing if the connection breaks. */
export async function* chunksOf(
  body: ReadableStream<Uint8Array> | null,
  component: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (!body) return;
  // Not `for await` over the stream itself, which Safari does not offer.
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        signal?.throwIfAborted();
        throw new Passing(noAnswer(component, error));
      });
      signal?.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
