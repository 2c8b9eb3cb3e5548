import { type ImageTokens, ShapeError, type ViewTokens } from '@mmllm/core';
import { countFeatureRows, countsInText, featureRows } from '../images';
import type { ArrangedPiece, Arrangement } from './arrangement';
import { gridOf, gridRows } from './grid';

const component = 'arrangement anyRes';

/**
 * The thumbnail, then the tiles put together to one grid, without the rows or columns that only fill up the aspect, and
 * the newline behind each row. A picture that has no tiles is its one view, and the newline.
 *
 * Source: LLaVA-NeXT (Liu et al. 2024), `unpad_image` of haotian-liu/LLaVA, llava/model/llava_arch.py.
 */
export const anyRes: Arrangement = {
  newline: true,
  pieces(image) {
    const { tiles, others } = viewsOf(image);
    const whole: ArrangedPiece = { kind: 'rows', rows: featureRows(others) };
    if (tiles.length === 0) return [whole, { kind: 'newline' }];
    const { top, left, height, width } = shownPart(image, tiles);
    const lines = stitched(image, tiles).slice(top, top + height);
    return [
      whole,
      ...lines.flatMap((line): ArrangedPiece[] => [
        { kind: 'rows', rows: line.slice(left, left + width) },
        { kind: 'newline' },
      ]),
    ];
  },
  placeholders(image) {
    const { tiles, others } = viewsOf(image);
    const { height, width } = tiles.length === 0 ? { height: 1, width: 0 } : shownPart(image, tiles);
    return [{ kind: 'features', count: countFeatureRows(others) + height * (width + 1) }];
  },
};

function viewsOf({ views }: ImageTokens) {
  const counted = views.filter(countsInText);
  return {
    tiles: counted.filter(({ role }) => role === 'tile'),
    others: counted.filter(({ role }) => role !== 'tile'),
  };
}

/** The rows of the grid of all tiles, top to bottom. */
function stitched({ tiles: grid }: ImageTokens, tiles: readonly ViewTokens[]): number[][] {
  const { rows = 0, columns = 0 } = grid ?? {};
  return Array.from({ length: rows }, (_, row) => {
    const line = tiles.slice(row * columns, (row + 1) * columns).map((tile) => gridRows(component, tile));
    return line[0]!.map((_, i) => line.flatMap((tile) => tile[i]!));
  }).flat();
}

/** The part of that grid which shows the picture: as much is left out at both ends of one side. */
function shownPart({ tiles: grid, original }: ImageTokens, tiles: readonly ViewTokens[]) {
  const { rows = 0, columns = 0 } = grid ?? {};
  const sizes = tiles.map((tile) => gridOf(component, tile));
  const [first] = sizes;
  const alike = sizes.every((size) => size.rows === first!.rows && size.columns === first!.columns);
  if (tiles.length !== rows * columns || !alike) {
    throw new ShapeError({
      component,
      expected: 'a whole grid of tiles of one size',
      actual: `${tiles.length} in one of ${rows}×${columns}`,
    });
  }
  if (!original) {
    throw new ShapeError({ component, expected: 'pictures with their original size', actual: 'none' });
  }
  const [height, width] = [rows * first!.rows, columns * first!.columns];
  // Rounded to seven places first, so that 13.999999999 is 14.
  const whole = (value: number) => Math.trunc(Number(value.toFixed(7)));
  if (original.width / original.height > width / height) {
    const top = Math.floor((height - whole(original.height * (width / original.width))) / 2);
    return { top, left: 0, height: height - 2 * top, width };
  }
  const left = Math.floor((width - whole(original.width * (height / original.height))) / 2);
  return { top: 0, left, height, width: width - 2 * left };
}
