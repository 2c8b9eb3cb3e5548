import type {
  AnyResPreprocessing,
  CanvasPreprocessing,
  FixedPreprocessing,
  TiledPreprocessing,
} from '@mmllm/core';
import { z } from 'zod';
import {
  box,
  clipMean,
  clipStd,
  count,
  demand,
  flag,
  half,
  normalisationKeys,
  normalisationOf,
  only,
  or,
  reader,
  resample,
  shortestEdge,
  size,
  squareSide,
} from './fields';

/**
 * InternVL. Its processor cuts into tiles whatever `crop_to_patches` says; alone, the image processor heeds it.
 */
export const gotOcr2 = reader(
  z.object({
    ...normalisationKeys(clipMean, clipStd),
    do_resize: flag(true),
    size: size('square', { height: 384, width: 384 }),
    resample: resample('bicubic'),
    crop_to_patches: flag(false),
    min_patches: or(count, 1),
    max_patches: or(count, 12),
    processor_class: z.string().nullish(),
  }),
  (keys, processor): TiledPreprocessing | FixedPreprocessing => {
    const shared = { ...normalisationOf(keys), resample: keys.resample };
    const internVl = (processor.processor_class ?? keys.processor_class) === 'InternVLProcessor';
    if ((keys.crop_to_patches || internVl) && keys.max_patches > 1) {
      return {
        kind: 'tiles',
        ...shared,
        tileSize: squareSide('size', keys.size),
        minTiles: keys.min_patches,
        maxTiles: keys.max_patches,
        thumbnail: 'last',
      };
    }
    demand('do_resize', keys.do_resize, 'true', keys.do_resize);
    return { kind: 'fixed', ...shared, size: box('size', keys.size), fit: 'stretch' };
  },
);

/** NVLM, in the words of InternVL's own code. */
export const nvlm = reader(
  z.object({
    ...normalisationKeys([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    force_image_size: or(count, 448),
    min_dynamic_patch: or(count, 1),
    max_dynamic_patch: or(count, 6),
    use_thumbnail: flag(true),
    resample: resample('bicubic'),
  }),
  (keys): TiledPreprocessing => ({
    kind: 'tiles',
    ...normalisationOf(keys),
    tileSize: keys.force_image_size,
    minTiles: keys.min_dynamic_patch,
    maxTiles: keys.max_dynamic_patch,
    thumbnail: keys.use_thumbnail ? 'last' : 'none',
    resample: keys.resample,
  }),
);

export const mm15 = reader(
  z.object({
    ...normalisationKeys(clipMean, clipStd),
    size: size('square', { height: 672, width: 672 }),
    min_tiles: or(count, 4),
    max_tiles: or(count, 9),
    overview: or(z.enum(['first', 'last', 'none']), 'last'),
    pad_value: only(0),
    resample: resample('bicubic'),
  }),
  (keys): TiledPreprocessing => ({
    kind: 'tiles',
    fit: 'pad',
    ...normalisationOf(keys),
    tileSize: squareSide('size', keys.size),
    minTiles: keys.min_tiles,
    maxTiles: keys.max_tiles,
    thumbnail: keys.overview,
    resample: keys.resample,
  }),
);

export const resolutions = z
  .array(z.tuple([count, count]))
  .min(1)
  .transform((pairs) => pairs.map(([height, width]) => ({ height, width })));

/** Tiles are resized and cropped like CLIP's pictures, which changes nothing where all sizes are that of the tile. */
export const llavaNext = reader(
  z.object({
    ...normalisationKeys(clipMean, clipStd),
    size: size('shortest edge', { shortest_edge: 224 }),
    crop_size: size('square', { height: 224, width: 224 }),
    image_grid_pinpoints: or(
      resolutions,
      [
        [1, 2],
        [2, 1],
        [2, 2],
        [3, 1],
        [1, 3],
      ].map(([rows, columns]) => ({ height: rows * 336, width: columns * 336 })),
    ),
    resample: resample('bicubic'),
  }),
  (keys): AnyResPreprocessing => {
    const side = shortestEdge('size', keys.size);
    const crop = squareSide('crop_size', keys.crop_size);
    demand('crop_size', crop === side, `${side}×${side}, the size itself`, keys.crop_size);
    return {
      kind: 'anyres',
      ...normalisationOf(keys),
      tileSize: side,
      resolutions: keys.image_grid_pinpoints,
      resample: keys.resample,
    };
  },
);

export const mllama = reader(
  z.object({
    ...normalisationKeys(half, half),
    do_convert_rgb: flag(true),
    do_resize: only(true),
    do_pad: only(true),
    size: size('square', { height: 224, width: 224 }),
    max_image_tiles: or(count, 4),
    resample: resample('bilinear'),
  }),
  (keys): CanvasPreprocessing => ({
    kind: 'canvas',
    ...normalisationOf(keys),
    // Its `convert_to_rgb` composites, where those of all others drop alpha.
    ...(keys.do_convert_rgb && { alpha: 'white' }),
    tileSize: squareSide('size', keys.size),
    maxTiles: keys.max_image_tiles,
    resample: keys.resample,
  }),
);
