/** For tests: files over HTTP on this machine, with faults on request. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TestServer {
  readonly url: string;
  /** Requests so far, as `GET /path bytes=0-9`. */
  readonly log: string[];
  /** The headers of each request. */
  readonly headers: IncomingMessage['headers'][];
  close(): Promise<void>;
}

export type Handler = (
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
) => void | Promise<void>;

export async function startServer(handle: Handler): Promise<TestServer> {
  const log: string[] = [];
  const headers: IncomingMessage['headers'][] = [];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://test').pathname);
    log.push(`${request.method} ${path}${request.headers.range ? ` ${request.headers.range}` : ''}`);
    headers.push(request.headers);
    await handle(path, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    headers,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export interface SendOptions {
  etag?: string;
  /** Breaks the connection after so many bytes of the body. */
  breakAfter?: number;
  /** Answers with status 200 and all of it. */
  ignoreRange?: boolean;
}

/** Answers a request for a file as servers do that know ranges. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  { etag = '"1"', breakAfter, ignoreRange = false }: SendOptions = {},
): void {
  const range = ignoreRange ? undefined : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const start = range ? Number(range[1]) : 0;
  const end = range ? Math.min(Number(range[2]) + 1, bytes.byteLength) : bytes.byteLength;
  response.setHeader('ETag', etag);
  if (start >= end && range) {
    response.writeHead(416, { 'Content-Range': `bytes */${bytes.byteLength}` }).end();
    return;
  }
  response.setHeader('Content-Length', end - start);
  if (range) response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${bytes.byteLength}`);
  response.writeHead(range ? 206 : 200);
  if (breakAfter === undefined) response.end(bytes.subarray(start, end));
  else response.write(bytes.subarray(start, start + breakAfter), () => response.destroy());
}
