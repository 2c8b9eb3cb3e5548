import type { JsonObject } from '@mmllm/checkpoints';
import { type ImagePreprocessing, tilesSchema } from '@mmllm/core';
import type { TilingConfig } from '@mmllm/vision-encoders/clip';
import { z } from 'zod';
import { readConfig } from './config';

/** How OpenGVLab's and NVIDIA's own files say it; NVLM has at most six tiles. */
const dynamic = z.looseObject({
  dynamic_image_size: z.boolean().default(true),
  min_dynamic_patch: tilesSchema.default(1),
  max_dynamic_patch: tilesSchema.default(6),
  use_thumbnail: z.boolean().default(true),
});

/** The tiles of a `config.json` of NVLM; undefined where pictures are not cut. */
export function dynamicTiles(json: JsonObject): TilingConfig | undefined {
  const config = readConfig(dynamic, json);
  if (!config.dynamic_image_size) return undefined;
  return {
    minTiles: config.min_dynamic_patch,
    maxTiles: config.max_dynamic_patch,
    thumbnail: config.use_thumbnail ? 'last' : 'none',
  };
}

/** The tiles that the files of the processor say, or else the usual ones of the system. */
export function tilesOf(
  preprocessing: ImagePreprocessing | undefined,
  usual: TilingConfig,
): TilingConfig | undefined {
  if (!preprocessing) return usual;
  if (preprocessing.kind !== 'tiles') return undefined;
  const { minTiles, maxTiles, thumbnail, fit } = preprocessing;
  return { minTiles, maxTiles, thumbnail, fit };
}
