/** For tests: as much of the Hub as a download needs, with faults on request. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { encodeSafetensors } from '../safetensors/encode';
import { type SendOptions, sendFile, startServer, type TestServer } from './server';

export const REPO = 'someone/tiny-model';
export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

const text = (content: string) => new TextEncoder().encode(content);

/** Weights that count as a large file, whose first tensor is longer than a chunk of a connection. */
const WEIGHTS = encodeSafetensors(
  [
    ['a', 100_000],
    ['b', 3],
  ].map(([name, size]) => [
    name as string,
    {
      dtype: 'F32',
      shape: [size as number],
      data: Float32Array.from({ length: size as number }, (_, i) => i),
    },
  ]),
);

export const FILES: Record<string, Uint8Array> = {
  'README.md': text('# tiny'),
  'config.json': text('{"model_type":"tiny"}'),
  'model.safetensors': WEIGHTS,
  'onnx/model.onnx': text('onnx'),
  'tokenizer.json': text('{"version":"1.0"}'),
};

/** The name of a file's content, as the Hub has it. */
export function oidOf(path: string, content = FILES[path]!): string {
  if (path.endsWith('.safetensors')) return createHash('sha256').update(content).digest('hex');
  return createHash('sha1').update(`blob ${content.byteLength}\0`).update(content).digest('hex');
}

export interface HubFaults {
  /** Answers in the place of the Hub, if it returns true. */
  intercept?: (path: string, request: IncomingMessage, response: ServerResponse) => boolean;
  /** How a file is sent. */
  send?: (path: string) => SendOptions | undefined;
  /** Another content than the listing says. */
  content?: (path: string) => Uint8Array | undefined;
}

/** Serves `REPO` at `COMMIT`, also called `main` and `refs/pr/1`. */
export function startHub(faults: HubFaults = {}): Promise<TestServer> {
  return startServer((path, request, response) => {
    if (faults.intercept?.(path, request, response)) return;
    const json = (value: unknown) =>
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(value));
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    if (path.startsWith(`/api/models/${REPO}/revision/`)) {
      const revision = path.slice(`/api/models/${REPO}/revision/`.length);
      if (![COMMIT, 'main', 'refs/pr/1'].includes(revision)) return notFound(response, 'RevisionNotFound');
      json({
        _id: '1',
        id: REPO,
        sha: COMMIT,
        private: false,
        gated: false,
        lastModified: '2026-01-01T00:00:00Z',
      });
    } else if (path === `/api/models/${REPO}/tree/${COMMIT}`) {
      const entries = listing();
      // Two pages.
      const second = url.searchParams.has('cursor');
      if (!second) response.setHeader('Link', `<${url.href}&cursor=x>; rel="next"`);
      json(second ? entries.slice(3) : entries.slice(0, 3));
    } else if (path.startsWith(`/${REPO}/resolve/${COMMIT}/`)) {
      const name = path.slice(`/${REPO}/resolve/${COMMIT}/`.length);
      if (!FILES[name]) return notFound(response, 'EntryNotFound');
      sendFile(request, response, faults.content?.(name) ?? FILES[name], faults.send?.(name));
    } else notFound(response, 'RepoNotFound');
  });
}

function listing() {
  return [
    { type: 'directory', oid: COMMIT, size: 0, path: 'onnx' },
    ...Object.entries(FILES).map(([path, { byteLength: size }]) => ({
      type: 'file',
      path,
      size,
      oid: path.endsWith('.safetensors') ? COMMIT : oidOf(path),
      ...(path.endsWith('.safetensors') && {
        lfs: { oid: oidOf(path), size, pointerSize: 130 },
        xetHash: COMMIT,
      }),
    })),
  ];
}

const notFound = (response: ServerResponse, code: string) =>
  void response.writeHead(404, { 'X-Error-Code': code }).end(JSON.stringify({ error: 'Not found' }));
