import type { Picture } from '@mmllm/core';
import expected from '../pictures/__fixtures__/expected.json';

export type PictureFile = keyof typeof expected;

/** The picture files that Pillow made, in every form that a decoder must know: see `__fixtures__/make.py`. */
export const pictureFiles = Object.keys(expected) as PictureFile[];

/** Works in Node, as a `file:` URL, and in browsers. */
export const pictureUrl = (file: PictureFile): URL =>
  new URL(`../pictures/__fixtures__/${file}`, import.meta.url);

/** What Pillow reads from a file: its size, and a digest of all bytes, without alpha or laid over white. */
export function pillowReads(file: PictureFile, alpha: 'drop' | 'white' = 'drop') {
  const { overWhite, sha256, ...size } = expected[file];
  return { ...size, sha256: alpha === 'drop' ? sha256 : overWhite };
}

/** A decoded picture in the terms of `pillowReads`. */
export async function summary({ data, width, height }: Picture) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data.slice()));
  return { width, height, sha256: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') };
}
