import type { PatchPreprocessing, Picture } from '@mmllm/core';
import { resize } from '../resize/resize';
import type { Size } from '../resize/size';
import type { HostPacked } from './host';
import { packPatches } from './pack';
import { pixelWriter } from './pixels';

/**
 * Patches of pictures of any size, row by row: float32[patches, patchSize · patchSize · 3]. A picture is shrunk only
 * where it is larger than `maxSize`, and filled to whole patches at the right and at the bottom.
 *
 * Source: Fuyu's processor in transformers (`FuyuImageProcessor`).
 */
export function preparePatches(pictures: readonly Picture[], preprocessing: PatchPreprocessing): HostPacked {
  const { patchSize, padValue, maxSize, resample } = preprocessing;
  const fit = (picture: Picture) => {
    const size = shrunk(picture, maxSize);
    return { size, picture: () => resize(picture, size, resample) };
  };
  const writer = pixelWriter(preprocessing, [padValue, padValue, padValue]);
  return packPatches(pictures, fit, patchSize, 1, writer);
}

function shrunk({ height, width }: Size, maxSize: Size): Size {
  if (height <= maxSize.height && width <= maxSize.width) return { height, width };
  const scale = Math.min(maxSize.height / height, maxSize.width / width);
  // Rounded down; a side never vanishes.
  return {
    height: Math.max(1, Math.floor(height * scale)),
    width: Math.max(1, Math.floor(width * scale)),
  };
}
