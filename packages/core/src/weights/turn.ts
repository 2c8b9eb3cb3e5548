import type { WeightPiece } from './piece';

/** Side of the square blocks that are turned at a time, so that reads and writes both stay in the cache. */
const BLOCK = 32;

/** Where turned rows go. */
export interface TurnedPlace<T> {
  /** [columns, height] */
  readonly into: T;
  readonly height: number;
  /** The column of `into` that the first row becomes. Default 0. */
  readonly first?: number;
}

/** Writes the rows of a matrix [rows, columns] as columns of another. */
export function turnRows<T extends WeightPiece['values']>(
  values: T,
  columns: number,
  { into, height, first = 0 }: TurnedPlace<T>,
): void {
  const rows = values.length / columns;
  for (let top = 0; top < rows; top += BLOCK) {
    const bottom = Math.min(top + BLOCK, rows);
    for (let left = 0; left < columns; left += BLOCK) {
      const right = Math.min(left + BLOCK, columns);
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) {
          into[column * height + first + row] = values[row * columns + column]!;
        }
      }
    }
  }
}
