import { PictureError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { pictureFiles, pictureUrl, pillowReads, summary } from '../testing/pictures';
import { decodePicture } from './decode';

const read = async (url: URL) => new Uint8Array(await (await fetch(url)).arrayBuffer());

describe('decodePicture in a browser', () => {
  // A browser converts CMYK in its own way, through a profile where there is one.
  const same = pictureFiles.filter((file) => !file.startsWith('cmyk'));

  it.each(same)('lays %s over white as Node does', async (file) => {
    const picture = await decodePicture(pictureUrl(file), { alpha: 'white' });
    expect(await summary(picture)).toEqual(pillowReads(file, 'white'));
  });

  it.each(same)('gives the bytes that Node gives for %s', async (file) => {
    expect(await summary(await decodePicture(pictureUrl(file)))).toEqual(pillowReads(file));
  });

  it('takes a URL as text, a Blob and a buffer', async () => {
    const bytes = await read(pictureUrl('rgba.png'));
    for (const source of [pictureUrl('rgba.png').href, new Blob([bytes]), bytes, bytes.buffer]) {
      expect(await summary(await decodePicture(source))).toEqual(pillowReads('rgba.png'));
    }
  });

  it('refuses what is missing, cut short or absurd', async () => {
    const bytes = await read(pictureUrl('rgb.png'));
    const huge = bytes.slice();
    new DataView(huge.buffer).setUint32(16, 10_000_000);
    for (const source of ['/no/such.png', bytes.subarray(0, 1000), huge]) {
      await expect(decodePicture(source)).rejects.toBeInstanceOf(PictureError);
    }
  });
});
