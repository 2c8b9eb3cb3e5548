import {
  disposeImages,
  type ImageBatch,
  type ImageFeatures,
  type ImageSource,
  type ImageTokens,
  type MultimodalModel,
  rowsOf,
  ShapeError,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { FeatureCache, PictureFeatures } from './feature-cache';

/** How far the frozen parts reach: features after the encoder, or after the projector too. */
export type FrozenPrefix = 'encoder' | 'projector';

/**
 * Features of all pictures of a batch by the frozen parts, outside any gradient: kept ones from the cache, the others
 * computed from `images`, which holds just those and is disposed here. The caller owns the result.
 *
 * @returns undefined for a batch without pictures.
 */
export function frozenFeatures(
  model: MultimodalModel,
  prefix: FrozenPrefix,
  pictures: readonly ImageSource[],
  images: ImageBatch | undefined,
  cache: FeatureCache,
): ImageFeatures | undefined {
  if (pictures.length === 0) return undefined;
  const kept = pictures.map((picture) => cache.get(picture));
  const missing = pictures.filter((_, i) => !kept[i]);
  const prepared = images?.images ?? [];
  if (prepared.length !== missing.length) {
    throw new ShapeError({
      component: 'processor',
      expected: `${missing.length} pictures that were not known`,
      actual: `${prepared.length}`,
    });
  }
  const made = images ? splitByPicture(compute(model, prefix, images), prepared) : [];
  let next = 0;
  const parts = kept.map((entry) => entry ?? made[next++]);
  const joined = join(parts);
  missing.forEach((picture, i) => {
    if (!cache.add(picture, made[i])) made[i].features.dispose();
  });
  return joined;
}

function compute(model: MultimodalModel, prefix: FrozenPrefix, images: ImageBatch): ImageFeatures {
  try {
    return prefix === 'projector' ? model.encodeImages(images) : model.encoder!.encode(images);
  } finally {
    disposeImages(images);
  }
}

/** Takes the features over. */
function splitByPicture(
  { features, images, mask }: ImageFeatures,
  prepared: readonly PictureFeatures['prepared'][],
): PictureFeatures[] {
  const entries = images.map((image, i) => {
    const { start, count } = rowsOf(image);
    return {
      prepared: prepared[i],
      image: moved(image, -start),
      features: tf.slice(features, [start, 0], [count, -1]),
      mask: mask?.slice(start, start + count),
    };
  });
  features.dispose();
  return entries;
}

function join(parts: readonly PictureFeatures[]): ImageFeatures {
  let rows = 0;
  const images: ImageTokens[] = [];
  const starts = parts.map(({ image, features }) => {
    const start = rows;
    images.push(moved(image, start));
    rows += features.shape[0];
    return start;
  });
  const mask = parts.some((part) => part.mask) ? new Uint8Array(rows).fill(1) : undefined;
  for (const [i, part] of parts.entries()) if (part.mask) mask?.set(part.mask, starts[i]);
  return { features: tf.concat(parts.map(({ features }) => features)), images, mask };
}

function moved(image: ImageTokens, rows: number): ImageTokens {
  return { ...image, views: image.views.map((view) => ({ ...view, start: view.start + rows })) };
}
