import { type ImageTokens, ShapeError, type ViewTokens } from '@mmllm/core';
import { countsInText } from '../images';
import type { ArrangedPiece, Arrangement } from './arrangement';
import { gridRows } from './grid';

const component = 'arrangement overlappingCrops';

export interface OverlappingCropsOptions {
  /** Patches of a crop along each side. */
  readonly patches: number;
  /** Patches by which neighbouring crops overlap: at the left or top, and at the right or bottom. */
  readonly overlap: readonly [before: number, after: number];
  /** So many patches along each side become one token. Default 2. */
  readonly pooling?: number;
  /** Text in front of the rows of a block, behind each row, and behind the block. Default `<im_start>`, `<im_col>`, `<im_end>`. */
  readonly start?: string;
  readonly row?: string;
  readonly end?: string;
}

/**
 * The whole picture's rows, then those of the crops put together without their overlap (Molmo, Deitke et al. 2024,
 * arXiv:2409.17146): each token of the larger view is taken from one crop.
 *
 * Source: `MultiModalPreprocessor.image_to_patches_and_tokens` of allenai/molmo, olmo/data/model_preprocessor.py.
 */
export function overlappingCrops(options: OverlappingCropsOptions): Arrangement {
  const { start = '<im_start>', row = '<im_col>', end = '<im_end>' } = options;
  const block = (lines: readonly (readonly number[])[]): ArrangedPiece[] => [
    { kind: 'text', text: start },
    ...lines.flatMap((rows): ArrangedPiece[] => [
      { kind: 'rows', rows },
      { kind: 'text', text: row },
    ]),
    { kind: 'text', text: end },
  ];
  return {
    pieces(image) {
      const [whole, ...crops] = image.views.filter(countsInText);
      if (!whole) return [];
      const lines = joined(image, crops, options);
      return [...block(gridRows(component, whole)), ...(lines.length > 0 ? block(lines) : [])];
    },
  };
}

/** The rows of all crops as one grid, each place from the crop in whose middle it lies. */
function joined(
  { tiles: grid }: ImageTokens,
  crops: readonly ViewTokens[],
  options: OverlappingCropsOptions,
): number[][] {
  if (crops.length === 0) return [];
  const { rows = 0, columns = 0 } = grid ?? {};
  if (crops.length !== rows * columns) {
    throw new ShapeError({
      component,
      expected: 'a whole grid of crops',
      actual: `${crops.length} in one of ${rows}×${columns}`,
    });
  }
  return Array.from({ length: rows }, (_, down) => {
    const line = crops.slice(down * columns, (down + 1) * columns).map((crop, across) => {
      const [left, right] = span(across, columns, options);
      const [top, bottom] = span(down, rows, options);
      return gridRows(component, crop)
        .slice(top, bottom)
        .map((tokens) => tokens.slice(left, right));
    });
    return line[0]!.map((_, i) => line.flatMap((crop) => crop[i]!));
  }).flat();
}

/** Which of a crop's tokens along one axis are its own: at the edges of the picture also those that would overlap. */
function span(
  crop: number,
  count: number,
  { patches, overlap, pooling = 2 }: OverlappingCropsOptions,
): [number, number] {
  const [before, after] = overlap;
  const own = patches - (crop === 0 ? 0 : before) - (crop === count - 1 ? 0 : after);
  const first = crop === 0 ? 0 : Math.floor(before / pooling);
  return [first, first + Math.ceil(own / pooling)];
}
