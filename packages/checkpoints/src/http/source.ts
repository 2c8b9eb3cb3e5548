import { readAhead } from '../read-ahead';
import { type ByteSource, bufferSource, checkRange, type ReadOptions } from '../source';
import { beginning } from './beginning';
import { type Identity, type RangeOptions, streamRange } from './range';
import { publicName } from './request';

export interface HttpOptions extends RangeOptions {
  /** Bytes that are fetched at least, so that small tensors in a row share a request. Default 1 MiB. */
  readAhead?: number;
  /**
   * Whether to take the whole file into memory from a server that gives no ranges. Default false: an error, unless the
   * file is no longer than `readAhead`.
   */
  wholeDownload?: boolean;
}

export const READ_AHEAD = 2 ** 20;

/**
 * Opens a URL for reading by range. The first request brings the size and the beginning; every later one must find the
 * same size and ETag. Requests that fail for a reason that may pass are made again, `retries` times in a row; after bytes
 * came, they go on from there.
 *
 * A URL's query and the values of headers never stand in an error.
 *
 * @throws DownloadError if it cannot be fetched.
 * @throws CheckpointError if the server gives no ranges, or another file than before.
 */
export async function httpSource(url: string, options: HttpOptions = {}): Promise<ByteSource> {
  const { readAhead: window = READ_AHEAD, wholeDownload = false } = options;
  const first = await beginning(url, window, wholeDownload, options);
  if (first.bytes.byteLength === first.size) return bufferSource(first.bytes, publicName(url));
  return readAhead(rangeSource(url, first, options), window, first.bytes);
}

/** A URL of known size, without a request of its own and without reading ahead. */
export function rangeSource(
  url: string,
  known: Identity & { size: number },
  options: RangeOptions,
): ByteSource {
  const source = {
    name: publicName(url),
    size: known.size,
    async read(start: number, end: number, { signal }: ReadOptions = {}) {
      checkRange(source, start, end);
      const both = { ...options, signal: anySignal(options.signal, signal) };
      both.signal?.throwIfAborted();
      const bytes = new Uint8Array(end - start);
      let filled = 0;
      for await (const chunk of streamRange(url, start, end, both, known)) {
        bytes.set(chunk, filled);
        filled += chunk.byteLength;
      }
      return bytes;
    },
  };
  return source;
}

/** Aborts when one of them does. */
export const anySignal = (a?: AbortSignal, b?: AbortSignal): AbortSignal | undefined =>
  a && b ? AbortSignal.any([a, b]) : (a ?? b);
