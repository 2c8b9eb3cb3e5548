import { disposeImages, type Picture, PictureError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import unusual from '../hugging-face/__fixtures__/expected.json';
import { preprocessingFromHuggingFace } from '../hugging-face/preprocessing';
import { prepareImages } from '../prepare/prepare';

/** The picture of `make.py`. */
function stripes(width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const c = i % 3;
    const x = ((i - c) / 3) % width;
    const y = Math.floor(i / (3 * width));
    data[i] = (x * x * 3 + y * 7 + c * 40 + ((x * y) % 11) * 5) % 256;
  }
  return { data, width, height };
}

async function digest(values: Float32Array): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', Float32Array.from(values)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What `make.py` says of a picture. */
type Expected = { size: number[] } & ({ shape: number[]; sha256: string } | { error: string });
const files: Record<string, { config: unknown; pictures: Expected[] }> = unusual;

/**
 * The preprocessing of unusual files, against digests of what transformers makes of them. Needs no files, so that it
 * runs in browsers too.
 */
export function describeDigests(): void {
  describe.each(Object.entries(files))('a file of %s', (_, { config, pictures }) => {
    const preprocessing = preprocessingFromHuggingFace(config);

    it.each(pictures)('gives the very floats of transformers for $size', async (expected) => {
      const [width, height] = expected.size;
      const prepare = () => prepareImages([stripes(width, height)], preprocessing);
      if ('error' in expected) {
        // Pixtral's own code lets the short side vanish, and fails.
        if (preprocessing.kind === 'packed' && preprocessing.size.rule === 'pixels') {
          expect(prepare).toThrow(PictureError);
        }
        return;
      }
      const batch = prepare();
      const values = batch.kind === 'dense' ? batch.pixels : batch.patches;
      expect(values.shape).toEqual(expected.shape);
      expect(await digest((await values.data()) as Float32Array)).toBe(expected.sha256);
      disposeImages(batch);
    });
  });
}
