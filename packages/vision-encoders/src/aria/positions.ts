import type { Grid } from '../shared/position-table';

/**
 * The place in a square table of learned positions for each patch of a grid of which only some is picture: the
 * picture's own places are spread over the whole table by where they lie between its borders (NaViT, Dehghani et al.
 * 2023, arXiv:2307.06304). Patches of padding have place 0.
 *
 * @param isPicture whether a patch is, patches row by row; the first row and the first column say how far the picture
 *   reaches
 * @param side rows and columns of the table
 */
export function placesInTable(
  isPicture: (patch: number) => boolean,
  { rows, columns }: Grid,
  side: number,
): Int32Array {
  const height = indices(rows).filter((row) => isPicture(row * columns)).length;
  const width = indices(columns).filter(isPicture).length;
  const [bucketRows, bucketColumns] = [buckets(rows, height, side), buckets(columns, width, side)];
  return Int32Array.from({ length: rows * columns }, (_, patch) => {
    if (!isPicture(patch)) return 0;
    return bucketRows[Math.floor(patch / columns)] * side + bucketColumns[patch % columns];
  });
}

const indices = (length: number): number[] => Array.from({ length }, (_, index) => index);

/** The bucket of each of `length` places, of which the first `used` are spread over `side` buckets. */
export function buckets(length: number, used: number, side: number): number[] {
  const borders = bucketBorders(side);
  const step = Math.fround(1 / used);
  const last = Math.fround(1 - 1e-6);
  return Array.from({ length }, (_, place) => {
    const fraction = Math.min(Math.fround(place * step), last);
    const bucket = borders.findIndex((border) => border > fraction);
    return bucket < 0 ? borders.length : bucket;
  });
}

/**
 * `torch.arange(1 / side, 1, 1 / side)` in float32, to the last bit: a place often lies on a border, and rounding decides
 * on which side. PyTorch on a CPU steps from every eighth value on, in groups of two times eight, and takes what is
 * left one by one.
 */
function bucketBorders(side: number): number[] {
  const step = 1 / side;
  const length = Math.ceil((1 - step) / step);
  const grouped = length - (length % 16);
  return Array.from({ length }, (_, i) => {
    if (i >= grouped) return Math.fround(step + i * step);
    const from = i - (i % 8);
    return Math.fround(Math.fround(step + from * step) + (i - from) * step);
  });
}
