import { type PackedPreprocessing, type PatchPreprocessing, parseConfig } from '@mmllm/core';
import { z } from 'zod';
import {
  box,
  clipMean,
  clipStd,
  count,
  half,
  normalisationKeys,
  normalisationOf,
  only,
  or,
  reader,
  refuse,
  resample,
  size,
  squareSide,
} from './fields';

/** The bounds of the area have three spellings: `min_pixels` goes before `size`, in which they are named like edges. */
export const qwen2Vl = reader(
  z.object({
    ...normalisationKeys(clipMean, clipStd),
    do_resize: only(true),
    size: size('shortest edge', { shortest_edge: 56 * 56, longest_edge: 28 * 28 * 1280 }),
    min_pixels: count.nullish(),
    max_pixels: count.nullish(),
    patch_size: or(count, 14),
    merge_size: or(count, 2),
    temporal_patch_size: or(count, 2),
    resample: resample('bicubic'),
  }),
  (keys): PackedPreprocessing => {
    const min = keys.min_pixels ?? keys.size.shortest_edge ?? keys.size.min_pixels;
    const max = keys.max_pixels ?? keys.size.longest_edge ?? keys.size.max_pixels;
    if (!min || !max) return refuse('size', 'shortest_edge and longest_edge', keys.size);
    return {
      kind: 'packed',
      ...normalisationOf(keys),
      patchSize: keys.patch_size,
      multiple: keys.patch_size * keys.merge_size,
      size: { rule: 'pixels', min, max },
      framesPerPatch: keys.temporal_patch_size,
      resample: keys.resample,
    };
  },
);

const mergeKeys = z.object({ spatial_merge_size: or(count, 1) });

/** The processor around it multiplies the patch by `spatial_merge_size`, so that blocks of patches stay whole. */
export const pixtral = reader(
  z.object({
    ...normalisationKeys(clipMean, clipStd),
    do_resize: only(true),
    do_center_crop: only(false),
    size: size('square', { longest_edge: 1024 }),
    patch_size: size('square', { height: 16, width: 16 }),
    resample: resample('bicubic'),
  }),
  (keys, processor): PackedPreprocessing => {
    const patchSize = squareSide('patch_size', keys.patch_size);
    const longestEdge = keys.size.longest_edge ?? squareSide('size', keys.size);
    const { spatial_merge_size } = parseConfig('processor_config.json', mergeKeys, processor);
    return {
      kind: 'packed',
      ...normalisationOf(keys),
      patchSize,
      multiple: patchSize * spatial_merge_size,
      size: { rule: 'longestEdge', longestEdge },
      resample: keys.resample,
    };
  },
);

/** Patches of `spatial_factor` pixels, which are the squares that become one code. `size` repeats the bounds. */
export const emu3 = reader(
  z.object({
    ...normalisationKeys(clipMean, clipStd),
    do_resize: only(true),
    min_pixels: or(count, 512 * 512),
    max_pixels: or(count, 1024 * 1024),
    spatial_factor: or(count, 8),
    resample: resample('bicubic'),
  }),
  (keys): PackedPreprocessing => ({
    kind: 'packed',
    ...normalisationOf(keys),
    patchSize: keys.spatial_factor,
    multiple: keys.spatial_factor,
    size: { rule: 'pixels', min: keys.min_pixels, max: keys.max_pixels },
    resample: keys.resample,
  }),
);

export const fuyu = reader(
  z.object({
    ...normalisationKeys(half, half),
    do_resize: only(true),
    do_pad: only(true),
    size: size('square', { height: 1080, width: 1920 }),
    patch_size: size('square', { height: 30, width: 30 }),
    padding_mode: only('constant'),
    padding_value: or(z.int().min(0).max(255), 1),
    resample: resample('bilinear'),
  }),
  (keys): PatchPreprocessing => {
    return {
      kind: 'patches',
      ...normalisationOf(keys),
      patchSize: squareSide('patch_size', keys.patch_size),
      maxSize: box('size', keys.size),
      resample: keys.resample,
      padValue: keys.padding_value,
    };
  },
);
