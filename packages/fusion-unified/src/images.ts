import { type FusionInputs, type ImageTokens, PlaceholderCountError, type ViewTokens } from '@mmllm/core';

/** A picture, and where its image tokens stand in the text of its sample. */
export interface PlacedImage {
  readonly image: ImageTokens;
  readonly sample: number;
  /** Positions of its image tokens within the sample, ascending. */
  readonly positions: readonly number[];
}

/** How many rows of the features hold these views. */
export function countFeatureRows(views: readonly ViewTokens[]): number {
  return views.reduce((sum, { count, valid }) => (valid === false ? sum : sum + count), 0);
}

/** Whether a view is more than filling of a batch. */
export const countsInText = ({ valid }: ViewTokens): boolean => valid !== false;

/** Rows of the features that hold these views, in order. Views that only fill up a batch have none. */
export function featureRows(views: readonly ViewTokens[]): number[] {
  return views
    .filter(countsInText)
    .flatMap(({ start, count }) => Array.from({ length: count }, (_, i) => start + i));
}

/**
 * Gives every picture its image tokens: the first ones of the sample to the sample's first picture, and so on. Runs no
 * kernel.
 *
 * @param component who asks, for messages.
 * @param tokensOf how many image tokens stand for a picture.
 * @throws PlaceholderCountError if a sample's image tokens are not as many as its pictures ask for.
 */
export function placeImages(
  component: string,
  { ids, start, end, imageTokenId, imagesPerSample, images }: FusionInputs,
  tokensOf: (image: ImageTokens) => number,
): PlacedImage[] {
  const [batch, length] = ids.shape;
  checkPictures(component, batch, imagesPerSample, images.length);
  const placed: PlacedImage[] = [];
  for (let sample = 0; sample < batch; sample++) {
    const own = images.slice(placed.length, placed.length + imagesPerSample[sample]);
    const counts = own.map(tokensOf);
    const positions: number[] = [];
    for (let t = start?.[sample] ?? 0; t < (end?.[sample] ?? length); t++) {
      if (ids.data[sample * length + t] === imageTokenId) positions.push(t);
    }
    const expected = counts.reduce((sum, count) => sum + count, 0);
    if (positions.length !== expected) {
      throw new PlaceholderCountError({
        component,
        expected: `${expected} image tokens (id ${imageTokenId}) in sample ${sample}, for ${own.length} pictures`,
        actual: `${positions.length}`,
      });
    }
    let next = 0;
    own.forEach((image, i) => {
      placed.push({ image, sample, positions: positions.slice(next, next + counts[i]) });
      next += counts[i];
    });
  }
  return placed;
}

function checkPictures(
  component: string,
  batch: number,
  imagesPerSample: readonly number[],
  numImages: number,
): void {
  const listed = imagesPerSample.reduce((sum, count) => sum + count, 0);
  if (imagesPerSample.length === batch && listed === numImages) return;
  throw new PlaceholderCountError({
    component,
    expected: `imagesPerSample to share ${numImages} pictures among ${batch} samples`,
    actual: `[${imagesPerSample.join(', ')}]`,
  });
}
