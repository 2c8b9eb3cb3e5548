import type { WeightPiece } from './piece';

/** Takes the numbers of a weight piece by piece, in the order in which they are stored. */
export interface WeightWriter<T> {
  /**
   * Takes the next numbers, whole rows: what the first axis counts. The array is the caller's again afterwards.
   * @throws ShapeError if there are too many, or they do not end with a row.
   * @throws WeightError for a number that the weight's type cannot hold.
   */
  write(piece: WeightPiece): void;
  /**
   * The weight, which the caller owns.
   * @throws ShapeError if there were too few numbers.
   */
  finish(): T;
  /** Gives up what was written. Nothing after `finish`. */
  dispose(): void;
}

export interface WriterOptions {
  /**
   * Whether they come as the rows of the transposed matrix, as PyTorch stores linear layers: [Out, In] for a weight of
   * [In, Out]. Default false.
   */
  readonly turned?: boolean;
}
