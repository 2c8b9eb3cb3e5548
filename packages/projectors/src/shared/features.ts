import { type ImageFeatures, ShapeError, type TokenGrid, type ViewTokens } from '@mmllm/core';

/** How errors call a projector. */
export const called = (name: string): string => `projector '${name}'`;

/** @throws ShapeError unless the features have the width of the projector, and the rows that the pictures say. */
export function checkFeatures(
  { name, inputSize }: { readonly name: string; readonly inputSize: number },
  { features, images, mask }: ImageFeatures,
): void {
  let rows = 0;
  for (const view of images.flatMap(({ views }) => views)) {
    if (view.start !== rows) {
      throw new ShapeError({
        component: called(name),
        expected: `views one below the other, the next at row ${rows}`,
        actual: `one at row ${view.start}`,
      });
    }
    rows += view.count;
  }
  const [numRows, width] = features.shape;
  if (numRows === rows && width === inputSize && (!mask || mask.length === rows)) return;
  const ofMask = mask ? ` and a mask of ${mask.length}` : '';
  throw new ShapeError({
    component: called(name),
    expected: `float32[${rows}, ${inputSize}], the rows of the pictures by the encoder's width`,
    actual: `[${features.shape.join(', ')}]${ofMask}`,
  });
}

/**
 * The grid of a view's tokens.
 * @throws ShapeError if they form none, or another than they are.
 */
export function gridOf(projector: string, { grid, count, prefix }: ViewTokens): TokenGrid {
  if (grid && count === prefix + numTokens(grid)) return grid;
  throw new ShapeError({
    component: called(projector),
    expected: 'tokens that form a grid',
    actual: grid ? `${count - prefix} in one of ${gridText(grid)}` : `${count} without one`,
  });
}

export const numTokens = ({ frames, rows, columns }: TokenGrid): number => frames * rows * columns;

export const gridText = ({ frames, rows, columns }: TokenGrid): string =>
  `${frames === 1 ? '' : `${frames}×`}${rows}×${columns}`;
