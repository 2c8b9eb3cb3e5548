import { readFile } from 'node:fs/promises';
import { type DenseImages, disposeImages, type FixedPreprocessing } from '@mmllm/core';
import { decodePicture, prepareImages } from '@mmllm/processors';
import type { Engine, Work } from '../engine.ts';
import { pathOfJpeg } from '../jpeg-file.ts';

/** From the bytes of the file to the values of the tensor. */
export async function openPreprocess(work: Extract<Work, { kind: 'preprocess' }>): Promise<Engine> {
  const bytes = new Uint8Array(await readFile(pathOfJpeg(work)));
  const preprocessing: FixedPreprocessing = {
    kind: 'fixed',
    size: { height: work.edge, width: work.edge },
    fit: 'crop',
    resample: 'bicubic',
    rescale: 1 / 255,
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  };
  return {
    async run() {
      const batch = prepareImages([await decodePicture(bytes)], preprocessing) as DenseImages;
      const values = await batch.pixels.data();
      disposeImages(batch);
      return { values: () => values };
    },
  };
}
