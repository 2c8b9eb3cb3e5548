import { ConfigError, type ImageBatch, type ImagePreprocessing, type Picture } from '@mmllm/core';
import { checkPicture } from '../pictures/picture';
import { prepareFixed } from './fixed';
import { preparePatches } from './patches';
import { prepareTiles } from './tiles';

/**
 * Prepares pictures as an encoder's preprocessing describes. The caller owns the batch: see `disposeImages`.
 *
 * @returns dense views, float32[views, height, width, 3], for `fixed` and `tiles`; packed patches,
 * float32[patches, patchSize · patchSize · 3], for `patches`.
 * @throws PictureError for a picture whose bytes are not as many as its size says.
 */
export function prepareImages(pictures: readonly Picture[], preprocessing: ImagePreprocessing): ImageBatch {
  pictures.forEach((picture, index) => {
    checkPicture(`pictures[${index}]`, picture);
  });
  switch (preprocessing.kind) {
    case 'fixed':
      return prepareFixed(pictures, preprocessing);
    case 'tiles':
      return prepareTiles(pictures, preprocessing);
    case 'patches':
      return preparePatches(pictures, preprocessing);
    case 'custom':
      return preprocessing.prepare(pictures);
    default:
      throw new ConfigError({
        component: 'preprocessing.kind',
        expected: "'fixed', 'tiles', 'patches' or 'custom'",
        actual: JSON.stringify(preprocessing.kind),
      });
  }
}
