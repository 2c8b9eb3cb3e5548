import { ConfigError, type ImageBatch, type ImagePreprocessing, type Picture } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkPicture } from '../pictures/picture';
import { prepareAnyRes } from './anyres';
import { prepareCanvas } from './canvas';
import { prepareCrops } from './crops';
import { prepareFixed } from './fixed';
import type { HostImages } from './host';
import { preparePacked } from './packed';
import { preparePadded } from './padded';
import { preparePatches } from './patches';
import { prepareTiles } from './tiles';

/**
 * Prepares pictures as an encoder's preprocessing describes. The caller owns the batch: see `disposeImages`.
 *
 * @returns packed patches, float32[patches, frames · patchSize · patchSize · 3], for `patches` and `packed`; for other
 * kinds dense views, float32[views, height, width, 3], those of `padded` and `crops` with their coverage.
 * @throws PictureError for a picture whose bytes are not as many as its size says, or of an aspect that is refused.
 * @throws ConfigError for a preprocessing that makes no sense.
 */
export function prepareImages(pictures: readonly Picture[], preprocessing: ImagePreprocessing): ImageBatch {
  if (preprocessing.kind !== 'custom') return upload(prepareOnHost(pictures, preprocessing));
  checkPictures(pictures);
  return preprocessing.prepare(pictures);
}

/** A preprocessing that is data and no code. */
export type DescribedPreprocessing = Exclude<ImagePreprocessing, { kind: 'custom' }>;

/** As `prepareImages`, in plain arrays; needs no backend. */
export function prepareOnHost(
  pictures: readonly Picture[],
  preprocessing: DescribedPreprocessing,
): HostImages {
  checkPictures(pictures);
  switch (preprocessing.kind) {
    case 'fixed':
      return prepareFixed(pictures, preprocessing);
    case 'tiles':
      return prepareTiles(pictures, preprocessing);
    case 'anyres':
      return prepareAnyRes(pictures, preprocessing);
    case 'canvas':
      return prepareCanvas(pictures, preprocessing);
    case 'patches':
      return preparePatches(pictures, preprocessing);
    case 'packed':
      return preparePacked(pictures, preprocessing);
    case 'padded':
      return preparePadded(pictures, preprocessing);
    case 'crops':
      return prepareCrops(pictures, preprocessing);
    default:
      throw new ConfigError({
        component: 'preprocessing.kind',
        expected: "'fixed', 'tiles', 'anyres', 'canvas', 'patches', 'packed', 'padded', 'crops' or 'custom'",
        actual: JSON.stringify((preprocessing satisfies never as { kind: unknown }).kind),
      });
  }
}

function checkPictures(pictures: readonly Picture[]): void {
  pictures.forEach((picture, index) => {
    checkPicture(`pictures[${index}]`, picture);
  });
}

function upload(host: HostImages): ImageBatch {
  if (host.kind === 'packed') {
    const { images, patches } = host;
    return { kind: 'packed', images, patches: tf.tensor2d(patches.data, [...patches.shape]) };
  }
  const { images, pixels, coverage } = host;
  return {
    kind: 'dense',
    images,
    pixels: tf.tensor4d(pixels.data, [...pixels.shape]),
    ...(coverage && { coverage }),
  };
}
