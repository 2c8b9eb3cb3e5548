import { type ImageSource, type Picture, PictureError } from '@mmllm/core';
import type { Alpha } from './alpha';
import { decodeInBrowser, inBrowser } from './decode-browser';
import { decodeWithSharp } from './decode-node';
import { decodeGif } from './gif/decode';
import { type PictureHeader, readHeader } from './header';
import { maxPixels } from './limits';
import { checkPicture, isPicture } from './picture';
import { decodePng } from './png/decode';
import { nameOf, readSource } from './read';

export interface DecodeOptions {
  /** `drop` keeps the colours of translucent pixels, `white` lays the picture over white. Default `drop`. */
  readonly alpha?: Alpha;
  readonly signal?: AbortSignal;
}

/**
 * Reads and decodes a PNG, JPEG, WebP or GIF (its first frame) to RGB bytes: PNG and GIF by code of ours, the same
 * everywhere, the others through sharp in Node and the platform's decoder in browsers. EXIF orientation is applied, gamma and colour
 * profiles are not. Grey and palette pictures become RGB; alpha is dropped, not composited, as Pillow's
 * `convert('RGB')` drops it, unless asked for. A decoded picture is returned as it is.
 *
 * @returns uint8[height, width, 3]
 * @throws PictureError for a picture that cannot be read, is of another format, is corrupt or truncated, or claims
 * more than `maxPixels`; the last is refused before it is decoded.
 */
export async function decodePicture(source: ImageSource, options: DecodeOptions = {}): Promise<Picture> {
  return decode('picture', source, options);
}

async function decode(
  unnamed: string,
  source: ImageSource,
  { alpha = 'drop', signal }: DecodeOptions,
): Promise<Picture> {
  signal?.throwIfAborted();
  if (isPicture(source)) {
    checkPicture(unnamed, source);
    return source;
  }
  const component = nameOf(source, unnamed);
  const bytes = await readSource(component, source, signal);
  const header = checkedHeader(component, bytes);
  signal?.throwIfAborted();
  try {
    if (header.format === 'png') return await decodePng(bytes, alpha);
    if (header.format === 'gif') return decodeGif(bytes, alpha);
    return await (inBrowser() ? decodeInBrowser(bytes, alpha) : decodeWithSharp(bytes, header, alpha));
  } catch (cause) {
    const actual = cause instanceof Error ? cause.message : String(cause);
    throw new PictureError({ component, expected: 'a whole picture', actual, cause });
  }
}

/** How many pictures are decoded at a time: enough for every core, few enough for memory. */
const concurrency = 8;

/** Decodes many pictures, a few at a time; they come in the order of their sources. Throws as `decodePicture` does. */
export async function decodePictures(
  sources: readonly ImageSource[],
  options: DecodeOptions = {},
): Promise<Picture[]> {
  const pictures = new Array<Picture>(sources.length);
  let next = 0;
  async function work() {
    while (next < sources.length) {
      const index = next++;
      pictures[index] = await decode(`pictures[${index}]`, sources[index], options);
    }
  }
  const workers = Array.from({ length: Math.min(concurrency, sources.length) }, work);
  try {
    await Promise.all(workers);
  } finally {
    next = sources.length; // After a failure nothing new is begun.
  }
  return pictures;
}

function checkedHeader(component: string, bytes: Uint8Array): PictureHeader {
  const header = readHeader(bytes);
  if (!header) {
    const start = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const actual = bytes.length === 0 ? 'an empty file' : `${bytes.length} bytes that start with ${start}`;
    throw new PictureError({ component, expected: 'a PNG, JPEG, WebP or GIF picture', actual });
  }
  const { width, height } = header;
  if (width >= 1 && height >= 1 && width * height <= maxPixels) return header;
  throw new PictureError({
    component,
    expected: `1 … ${maxPixels} pixels`,
    actual: `a ${header.format} that claims ${width}×${height}`,
  });
}
