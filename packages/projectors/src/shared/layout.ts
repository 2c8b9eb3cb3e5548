import type { ImageTokens, ViewTokens } from '@mmllm/core';

/** What becomes of the tokens of a view. */
export type NewTokens = Pick<ViewTokens, 'count' | 'grid'>;

/** Lays other tokens for the same views, one below the other, without any in front. */
export function relayout(
  images: readonly ImageTokens[],
  tokensOf: (view: ViewTokens) => NewTokens,
): ImageTokens[] {
  let start = 0;
  const place = (view: ViewTokens): ViewTokens => {
    const { count, grid } = tokensOf(view);
    start += count;
    return { ...view, start: start - count, count, prefix: 0, grid };
  };
  return images.map((image) => ({ ...image, views: image.views.map(place) }));
}
