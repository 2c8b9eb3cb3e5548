import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { pictureFiles, pictureUrl, pillowReads } from '../testing/pictures';
import { readHeader } from './header';

const read = (file: (typeof pictureFiles)[number]) => new Uint8Array(readFileSync(pictureUrl(file)));

describe('readHeader', () => {
  it.each(pictureFiles)('finds format and size of %s', (file) => {
    const { width, height } = pillowReads(file);
    const extension = file.split('.')[1];
    const turned = /turned|mirrored|exif-[5-8]/.test(file);
    expect(readHeader(read(file))).toMatchObject({
      format: extension === 'jpg' ? 'jpeg' : extension,
      width: turned ? height : width,
      height: turned ? width : height,
    });
  });

  it('reads the three kinds of WebP', () => {
    const riff = (chunk: string, payload: number[]) =>
      Uint8Array.from(
        [...'RIFF0000WEBP', ...chunk, ...'0000'].map((c) => c.charCodeAt(0)).concat(payload, [0, 0, 0, 0]),
      );
    const size = { format: 'webp', width: 300, height: 513 };
    expect(readHeader(riff('VP8 ', [0, 0, 0, 0x9d, 1, 0x2a, 44, 1, 1, 2]))).toEqual(size);
    expect(readHeader(riff('VP8L', [0x2f, 43, 1, 128, 0]))).toEqual(size);
    expect(readHeader(riff('VP8X', [0, 0, 0, 0, 43, 1, 0, 0, 2, 0]))).toEqual(size);
    expect(readHeader(riff('ALPH', [0, 0, 0, 0]))).toBeUndefined();
  });

  it('knows no more of a file that is cut short, or of anything else', () => {
    for (const file of pictureFiles) {
      for (let length = 0; length < 20; length++) {
        const header = readHeader(read(file).subarray(0, length));
        if (header) expect(header).toEqual(readHeader(read(file)));
      }
    }
    expect(readHeader(new TextEncoder().encode('BM and then some more of it'))).toBeUndefined();
    expect(readHeader(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 0, 0xff, 0xe0, 0, 0, 1))).toBeUndefined();
  });
});
