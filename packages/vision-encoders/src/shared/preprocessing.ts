import type { FixedPreprocessing, ImagePreprocessing, Normalisation } from '@mmllm/core';
import type { ResolvedVisionConfig } from './config';

/** How a family prepares a picture, but for its size. */
export type PictureRule = Normalisation & Pick<FixedPreprocessing, 'fit' | 'resample'>;

/** Pixel values to [−1, 1]. */
export const unitRange: Normalisation = { rescale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** The mean and standard deviation of CLIP's training pictures, as OpenAI's code has them. */
export const clipPixels: Normalisation = {
  rescale: 1 / 255,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/** What a tower wants done to pictures: one view of its size each, or tiles of its size. */
export function preprocessingFor(
  { inputSize, tiling, normalisation }: Pick<ResolvedVisionConfig, 'inputSize' | 'tiling' | 'normalisation'>,
  { fit, ...published }: PictureRule,
): ImagePreprocessing {
  const rule = { ...published, ...normalisation };
  const tileSize = inputSize.height;
  if (tiling && 'resolutions' in tiling) return { kind: 'anyres', tileSize, ...tiling, ...rule };
  if (tiling) return { kind: 'tiles', tileSize, ...tiling, ...rule };
  return { kind: 'fixed', size: inputSize, fit, ...rule };
}
