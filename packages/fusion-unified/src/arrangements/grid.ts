import { ShapeError, type TokenGrid, type ViewTokens } from '@mmllm/core';

/**
 * The rows of a view's grid, top to bottom, frame by frame; tokens in front of it are left out.
 * @throws ShapeError if its tokens form no grid.
 */
export function gridRows(component: string, view: ViewTokens): number[][] {
  const { frames, rows, columns } = gridOf(component, view);
  return Array.from({ length: frames * rows }, (_, row) => {
    const first = view.start + view.prefix + row * columns;
    return Array.from({ length: columns }, (_, column) => first + column);
  });
}

/** @throws ShapeError as `gridRows`. */
export function gridOf(component: string, { grid, count, prefix }: ViewTokens): TokenGrid {
  if (grid && count === prefix + grid.frames * grid.rows * grid.columns) return grid;
  throw new ShapeError({
    component,
    expected: 'views whose tokens form a grid',
    actual: grid ? `${count - prefix} in one of ${grid.rows}×${grid.columns}` : `${count} without one`,
  });
}
