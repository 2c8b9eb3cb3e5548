import {
  type DenseImages,
  type ImageBatch,
  type ImageTokens,
  type ImageView,
  type PreparedImage,
  ShapeError,
  type ViewTokens,
} from '@mmllm/core';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { Grid } from './position-table';

/** The tokens of one view: `prefix` of them in front of its grid. */
export interface ViewLayout extends Grid {
  readonly prefix: number;
}

/** Lays the tokens of all views of all pictures one below the other. */
export function layoutViews(
  images: readonly PreparedImage[],
  layoutOf: (view: ImageView) => ViewLayout,
): ImageTokens[] {
  let start = 0;
  const place = (view: ImageView): ViewTokens => {
    const { rows, columns, prefix } = layoutOf(view);
    const { role, tile, valid } = view;
    const count = prefix + rows * columns;
    start += count;
    return { role, start: start - count, count, prefix, grid: { frames: 1, rows, columns }, tile, valid };
  };
  return images.map(({ views, tiles, original }) => ({ views: views.map(place), original, tiles }));
}

export interface PictureSize {
  readonly height: number;
  readonly width: number;
}

/**
 * The pixels of a batch whose views must all have one size.
 * @throws ShapeError if the batch is packed, of another size, or holds another number of views than its pictures say.
 */
export function densePixels(batch: ImageBatch, { height, width }: PictureSize, component: string): Tensor4D {
  const views = batch.images.reduce((sum, image) => sum + image.views.length, 0);
  const expected = [views, height, width, 3];
  const shape = batch.kind === 'dense' ? batch.pixels.shape : batch.patches.shape;
  if (batch.kind === 'dense' && shape.length === 4 && shape.every((size, axis) => size === expected[axis])) {
    return batch.pixels;
  }
  throw new ShapeError({
    component,
    expected: `dense pixels float32[${expected.join(', ')}]`,
    actual: `${batch.kind} [${shape.join(', ')}]`,
  });
}

/**
 * A batch of pixels whose views all have one size, whichever.
 * @throws ShapeError if the batch is packed, or its pictures say otherwise.
 */
export function pixelsOfOneSize(batch: ImageBatch, component: string): DenseImages {
  const views = batch.images.flatMap((image) => image.views);
  const [first = { height: 0, width: 0 }] = views;
  const other = views.find(({ height, width }) => height !== first.height || width !== first.width);
  if (other) {
    throw new ShapeError({
      component,
      expected: `views of one size, ${first.height}×${first.width} pixels`,
      actual: `${other.height}×${other.width}`,
    });
  }
  densePixels(batch, first, component);
  return batch as DenseImages;
}
