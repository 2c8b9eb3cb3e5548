import { readFileSync } from 'node:fs';
import { type Picture, PictureError, type Random, random } from '@mmllm/core';
import { expect, it } from 'vitest';
import { pictureFiles, pictureUrl } from '../testing/pictures';
import { decodePicture } from './decode';

/** MMLLM_DAMAGED=2000 tries more. */
const trials = Number(process.env.MMLLM_DAMAGED ?? 700);

const files = pictureFiles.map((file) => new Uint8Array(readFileSync(pictureUrl(file))));
type Damage = (bytes: Uint8Array, source: Random) => Uint8Array;

const damages: Record<string, Damage> = {
  'flipped bits': (bytes, source) => {
    for (let i = 0; i < 4; i++) bytes[source.integer(bytes.length)] ^= 1 << source.integer(8);
    return bytes;
  },
  'other bytes in the header': (bytes, source) => {
    for (let i = 0; i < 3; i++) bytes[source.integer(Math.min(64, bytes.length))] = source.integer(256);
    return bytes;
  },
  'an end too early': (bytes, source) => bytes.subarray(0, source.integer(bytes.length)),
  'another end': (bytes, source) => {
    const other = files[source.integer(files.length)];
    const cut = source.integer(bytes.length);
    return Uint8Array.from([...bytes.subarray(0, cut), ...other.subarray(source.integer(other.length))]);
  },
  'a part twice': (bytes, source) => {
    const cut = source.integer(bytes.length);
    return Uint8Array.from([...bytes.subarray(0, cut), ...bytes.subarray(cut >> 1)]);
  },
};
const kinds = Object.entries(damages);

it.each(kinds)(
  'gives a picture or a PictureError for %s',
  async (name, damage) => {
    const source = random('damage', name);
    for (let trial = 0; trial < trials / kinds.length; trial++) {
      const bytes = damage(files[source.integer(files.length)].slice(), source);
      const result = await decodePicture(bytes).catch((error: unknown) => error);
      const { data, width, height } = result as Picture;
      const decoded = data?.length === width * height * 3;
      expect(decoded || PictureError.isInstance(result), String(result)).toBe(true);
    }
  },
  600_000,
);
