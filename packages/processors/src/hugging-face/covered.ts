import type { CropsPreprocessing, PaddedPreprocessing } from '@mmllm/core';
import { z } from 'zod';
import {
  box,
  clipMean,
  clipStd,
  count,
  flag,
  half,
  normalisationKeys,
  normalisationOf,
  only,
  or,
  reader,
  resample,
  size,
} from './fields';
import { resolutions } from './tiles';

/** Rows and columns of Aria's tiles of 490 pixels. */
const ariaGrids = [
  ...[2, 3, 4, 5, 6, 7, 8].map((columns) => [1, columns]),
  ...[4, 3, 2, 1].map((columns) => [2, columns]),
  ...[1, 2].map((columns) => [3, columns]),
  ...[1, 2].map((columns) => [4, columns]),
  ...[5, 6, 7, 8].map((rows) => [rows, 1]),
];

/** The file does not say the patch, which the encoder's configuration does: 14 in the released model. */
export const aria = reader(
  z.object({
    ...normalisationKeys(half, half),
    max_image_size: or(count, 980),
    min_image_size: or(count, 336),
    split_image: flag(false),
    split_resolutions: or(
      resolutions,
      ariaGrids.map(([rows, columns]) => ({ height: rows * 490, width: columns * 490 })),
    ),
    resample: resample('bicubic'),
  }),
  (keys): PaddedPreprocessing => ({
    kind: 'padded',
    ...normalisationOf(keys),
    patchSize: 14,
    longestEdge: keys.max_image_size,
    minShortEdge: keys.min_image_size,
    ...(keys.split_image && { splitResolutions: keys.split_resolutions }),
    resample: keys.resample,
  }),
);

export const molmo = reader(
  z.object({
    ...normalisationKeys(clipMean, clipStd),
    base_image_input_size: size('square', { height: 336, width: 336 }),
    image_patch_size: or(count, 14),
    max_crops: or(count, 12),
    overlap_margins: or(z.tuple([z.int().min(0), z.int().min(0)]), [4, 4]),
    image_padding_mask: only(true),
  }),
  (keys): CropsPreprocessing => ({
    kind: 'crops',
    ...normalisationOf(keys),
    cropSize: box('base_image_input_size', keys.base_image_input_size),
    patchSize: keys.image_patch_size,
    maxCrops: keys.max_crops,
    overlap: keys.overlap_margins,
  }),
);
