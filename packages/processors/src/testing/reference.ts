import { assertTensorsClose, compareTensors, type HostTensor } from '@mmllm/conformance';
import {
  type DenseImages,
  disposeImages,
  type ImageBatch,
  type ImagePreprocessing,
  type Picture,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { decodePicture } from '../pictures/decode';
import { prepareImages } from '../prepare/prepare';
import { caseFile, caseJson, type GoldenTensor } from './golden';

export const clipValues = {
  rescale: 1 / 255,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const;
export const imageNetValues = {
  rescale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
} as const;
export const plusMinusOne = { rescale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;

/** The pictures of a case, `images-clip/base`. */
export async function picturesOf(name: string): Promise<Picture[]> {
  const { images } = caseJson<{ images: string[] }>(`${name}/case.json`);
  return Promise.all(images.map((file) => decodePicture(caseFile(`${name}/${file}`))));
}

/** [views, 3, height, width] of the reference to our [views, height, width, 3]. */
export function channelsLast({ shape, data }: GoldenTensor): tf.Tensor4D {
  const [channels, height, width] = shape.slice(-3);
  const views = data.length / (channels * height * width);
  return tf.tidy(() => tf.transpose(tf.tensor4d(data, [views, channels, height, width]), [0, 2, 3, 1]));
}

/** A picture that differs from another by one, in every byte that can be larger. */
export const brighter = (picture: Picture): Picture => ({
  ...picture,
  data: picture.data.map((value) => Math.min(255, value + 1)),
});

export interface Expectation<Batch extends ImageBatch> {
  readonly preprocessing: ImagePreprocessing;
  /** What the reference makes of picture `i`, in our arrangement. The caller of this disposes it. */
  expected(i: number, batch: Batch): tf.Tensor | HostTensor;
  /** 0 asks for the very bits. */
  readonly tolerance: number;
  /** What is compared. Default: all pixels, or all patches. */
  values?(batch: Batch, i: number): tf.Tensor;
}

/** Prepares each picture alone and compares all of it; brighter pictures have to differ, and nothing may leak. */
export async function expectPrepared<Batch extends ImageBatch = DenseImages>(
  pictures: ReadonlyMap<number, Picture>,
  { preprocessing, expected, tolerance, values = (batch) => tf.clone(valuesOf(batch)) }: Expectation<Batch>,
): Promise<void> {
  const before = tf.memory().numTensors;
  for (const [i, picture] of pictures) {
    const batch = prepareImages([picture], preprocessing) as Batch;
    const other = prepareImages([brighter(picture)], preprocessing) as Batch;
    const wanted = expected(i, batch);
    const [came, wrong] = [values(batch, i), values(other, i)];
    await assertTensorsClose(came, wanted, { tolerance, name: `picture ${i}` });
    expect((await compareTensors(wrong, wanted, { tolerance })).ok).toBe(false);
    tf.dispose([came, wrong]);
    if (wanted instanceof tf.Tensor) wanted.dispose();
    disposeImages(batch);
    disposeImages(other);
  }
  expect(tf.memory().numTensors).toBe(before);
}

const valuesOf = (batch: ImageBatch): tf.Tensor => (batch.kind === 'dense' ? batch.pixels : batch.patches);
