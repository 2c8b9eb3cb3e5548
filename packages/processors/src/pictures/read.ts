import { type ImageSource, type Picture, PictureError } from '@mmllm/core';

export type EncodedSource = Exclude<ImageSource, Picture>;

/** What to call a source in messages: its path or URL, else `unnamed`. */
export function nameOf(source: EncodedSource, unnamed: string): string {
  if (typeof source !== 'string' && !(source instanceof URL)) return unnamed;
  const name = String(source);
  return `picture '${name.length > 100 ? `${name.slice(0, 100)}…` : name}'`;
}

/**
 * The encoded bytes. In Node a string is a path, unless it starts as a URL; in a browser it is a URL.
 * @throws PictureError naming the component if they cannot be read.
 */
export async function readSource(
  component: string,
  source: EncodedSource,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  try {
    if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
    const file = localFile(source);
    return file === undefined ? await download(source, signal) : await readFile(file, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    const actual = cause instanceof Error ? cause.message : String(cause);
    throw new PictureError({ component, expected: 'a picture that can be read', actual, cause });
  }
}

/** The path or `file:` URL that a source names, where there is a file system. */
function localFile(source: string | URL): string | URL | undefined {
  if (typeof process === 'undefined' || !process.getBuiltinModule) return undefined;
  if (source instanceof URL) return source.protocol === 'file:' ? source : undefined;
  if (/^file:/i.test(source)) return new URL(source);
  return /^(https?|data|blob):/i.test(source) ? undefined : source;
}

async function readFile(file: string | URL, signal?: AbortSignal): Promise<Uint8Array> {
  // Not an import: bundlers for browsers would stumble over it.
  return process.getBuiltinModule('node:fs/promises').readFile(file, { signal });
}

async function download(url: string | URL, signal?: AbortSignal): Promise<Uint8Array> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
