import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PictureError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { noise } from '../testing/noise';
import { type PictureFile, pictureFiles, pictureUrl, pillowReads, summary } from '../testing/pictures';
import { decodePicture, decodePictures } from './decode';
import { maxPixels } from './limits';

const read = (file: PictureFile) => new Uint8Array(readFileSync(pictureUrl(file)));

describe('decodePicture', () => {
  it.each(pictureFiles)('lays %s over white as Pillow does', async (file) => {
    const picture = await decodePicture(read(file), { alpha: 'white' });
    expect(await summary(picture)).toEqual(pillowReads(file, 'white'));
  });

  it.each(pictureFiles)('reads %s as Pillow does', async (file) => {
    const picture = await decodePicture(read(file));
    expect(await summary(picture)).toEqual(pillowReads(file));
    expect(picture.data.constructor).toBe(Uint8Array);
  });

  it('takes a path, URLs, a Blob and a buffer for the same picture', async () => {
    const url = pictureUrl('rgb.png');
    const bytes = read('rgb.png');
    const inline = `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`;
    const sources = [fileURLToPath(url), url, url.href, inline, new Blob([bytes]), bytes.buffer];
    for (const picture of await decodePictures(sources)) {
      expect(await summary(picture)).toEqual(pillowReads('rgb.png'));
    }
  });

  it('returns a decoded picture as it is', async () => {
    const picture = noise(3, 2);
    expect(await decodePicture(picture)).toBe(picture);
  });

  it.each(['rgb.png', 'full.jpg', 'progressive.jpg', 'rgba.webp', 'still.gif'] as const)(
    'refuses %s cut short anywhere',
    async (file) => {
      const bytes = read(file);
      for (let share = 0; share < 1; share += 0.05) {
        const part = bytes.subarray(0, Math.floor(bytes.length * share));
        await expect(decodePicture(part)).rejects.toBeInstanceOf(PictureError);
      }
    },
  );

  it('refuses an absurd size before decoding', async () => {
    const bytes = read('rgb.png');
    const view = new DataView(bytes.buffer);
    view.setUint32(16, 100_000);
    view.setUint32(20, 100_000);
    await expect(decodePicture(bytes)).rejects.toThrow(
      `picture: expected 1 … ${maxPixels} pixels, got a png that claims 100000×100000.`,
    );
  });

  it('names the file and what is wrong with it', async () => {
    await expect(decodePicture('no-such.png')).rejects.toThrow(/^picture 'no-such.png': .* ENOENT/);
    await expect(decodePicture(new TextEncoder().encode('<svg></svg>'))).rejects.toThrow(
      'picture: expected a PNG, JPEG, WebP or GIF picture, got 11 bytes that start with 3c 73 76 67 3e 3c 2f 73.',
    );
    await expect(decodePicture(new Uint8Array())).rejects.toThrow('got an empty file');
    const short = { ...noise(3, 2), height: 3 };
    await expect(decodePicture(short)).rejects.toThrow('got 18 values for 3×3');
  });

  it('stops when asked to', async () => {
    const reason = new Error('enough');
    await expect(decodePicture(read('rgb.png'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(decodePicture(pictureUrl('rgb.png'), { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });
});

describe('decodePictures', () => {
  it('keeps the order', async () => {
    const pictures = await decodePictures(pictureFiles.map(pictureUrl));
    const sizes = pictures.map(({ width, height }) => ({ width, height }));
    expect(sizes).toEqual(
      pictureFiles.map((file) => pillowReads(file)).map(({ width, height }) => ({ width, height })),
    );
  });

  it('fails with the picture that fails, and begins no other', async () => {
    const result = decodePictures([read('rgb.png'), new Uint8Array(9)]);
    await expect(result).rejects.toThrow(/^pictures\[1\]: expected a PNG/);
    let touched = 0;
    class Counted extends Blob {
      override arrayBuffer() {
        touched++;
        return super.arrayBuffer();
      }
    }
    const counted = Array.from({ length: 100 }, () => new Counted([read('rgb.png')]));
    await expect(decodePictures(['no-such.png', ...counted])).rejects.toThrow('no-such.png');
    expect(touched).toBeLessThan(100);
  });
});
