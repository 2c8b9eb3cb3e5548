import { type PackedPreprocessing, type Picture, PictureError } from '@mmllm/core';
import { resize } from '../resize/resize';
import type { Size } from '../resize/size';
import { checkCounts, checkField } from './check';
import type { HostPacked } from './host';
import { packPatches } from './pack';
import { pixelWriter } from './pixels';
import { roundHalfEven } from './rounding';

/** Qwen2-VL takes no picture that is longer than this many times its breadth. */
const maxAspect = 200;

/**
 * Patches of pictures of any size, row by row: float32[patches, frames · patchSize · patchSize · 3].
 *
 * @throws ConfigError if `multiple` is no multiple of the patch, or a bound of the size makes no sense.
 * @throws PictureError by the rule `pixels`, for a picture longer than 200 times its breadth.
 */
export function preparePacked(pictures: readonly Picture[], preprocessing: PackedPreprocessing): HostPacked {
  const { patchSize, multiple, size, framesPerPatch = 1, resample } = preprocessing;
  checkCounts({ patchSize, multiple, framesPerPatch });
  checkField('multiple', multiple % patchSize === 0, `a multiple of ${patchSize}`, multiple);
  if (size.rule === 'pixels') {
    checkCounts({ 'size.min': size.min, 'size.max': size.max });
    checkField('size.min', size.min <= size.max, `at most ${size.max}`, size.min);
  } else checkCounts({ 'size.longestEdge': size.longestEdge });
  const fit = (picture: Picture) => {
    const scaled =
      size.rule === 'pixels'
        ? smartSize(picture, multiple, size.min, size.max)
        : shrunkSize(picture, multiple, size.longestEdge);
    return { size: scaled, picture: () => resize(picture, scaled, resample) };
  };
  return packPatches(pictures, fit, patchSize, framesPerPatch, pixelWriter(preprocessing));
}

/**
 * Sides of the nearest multiples, unless the area leaves its bounds. Halves round to even.
 *
 * Source: `smart_resize` of QwenLM/Qwen2-VL, qwen-vl-utils; Emu3 has the same.
 */
function smartSize({ height, width }: Size, multiple: number, min: number, max: number): Size {
  if (Math.max(height, width) > maxAspect * Math.min(height, width)) {
    throw new PictureError({
      component: 'prepareImages',
      expected: `a picture at most ${maxAspect} times as long as broad`,
      actual: `${width}×${height}`,
    });
  }
  const sides = (round: (value: number) => number, scale: (value: number) => number): Size => ({
    height: round(scale(height) / multiple) * multiple,
    width: round(scale(width) / multiple) * multiple,
  });
  const nearest = sides(roundHalfEven, (side) => side);
  if (nearest.height * nearest.width > max) {
    const factor = Math.sqrt((height * width) / max);
    return sides(
      (value) => Math.max(1, Math.floor(value)),
      (side) => side / factor,
    );
  }
  if (nearest.height * nearest.width < min) {
    const factor = Math.sqrt(min / (height * width));
    return sides(Math.ceil, (side) => side * factor);
  }
  return nearest;
}

/**
 * Shrunk to the longest edge where larger, then rounded up to multiples.
 *
 * Source: Pixtral in mistralai/mistral-common; the shrunken sides round down, as in transformers'
 * `PixtralImageProcessor`. A side never vanishes.
 */
function shrunkSize({ height, width }: Size, multiple: number, longestEdge: number): Size {
  const ratio = Math.max(1, height / longestEdge, width / longestEdge);
  const side = (value: number) => Math.ceil(Math.max(1, Math.floor(value / ratio)) / multiple) * multiple;
  return { height: side(height), width: side(width) };
}
