import { type ImageTokens, ShapeError, type ViewTokens } from '@mmllm/core';
import { countsInText, featureRows } from '../images';
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
    const views = image.views.filter(countsInText);
    const tiles = views.filter(({ role }) => role === 'tile');
    const others = views.filter(({ role }) => role !== 'tile');
    const whole: ArrangedPiece = { kind: 'rows', rows: featureRows(others) };
    if (tiles.length === 0) return [whole, { kind: 'newline' }];
    return [whole, ...withoutPadding(stitched(image, tiles), image).flatMap(withNewline)];
  },
};

const withNewline = (rows: readonly number[]): ArrangedPiece[] => [
  { kind: 'rows', rows },
  { kind: 'newline' },
];

/** The rows of the grid of all tiles, top to bottom. */
function stitched({ tiles: grid }: ImageTokens, tiles: readonly ViewTokens[]): number[][] {
  const { rows = 0, columns = 0 } = grid ?? {};
  const sizes = tiles.map((tile) => gridOf(component, tile));
  const alike = sizes.every((size) => size.rows === sizes[0]!.rows && size.columns === sizes[0]!.columns);
  if (tiles.length !== rows * columns || !alike) {
    throw new ShapeError({
      component,
      expected: 'a whole grid of tiles of one size',
      actual: `${tiles.length} in one of ${rows}×${columns}`,
    });
  }
  return Array.from({ length: rows }, (_, row) => {
    const line = tiles.slice(row * columns, (row + 1) * columns).map((tile) => gridRows(component, tile));
    return line[0]!.map((_, i) => line.flatMap((tile) => tile[i]!));
  }).flat();
}

/** Cuts off equally much at both ends of the side along which the picture was filled up. */
function withoutPadding(lines: readonly number[][], { original }: ImageTokens): number[][] {
  if (!original) {
    throw new ShapeError({ component, expected: 'pictures with their original size', actual: 'none' });
  }
  const [height, width] = [lines.length, lines[0]?.length ?? 0];
  // Rounded to seven places first, so that 13.999999999 is 14.
  const whole = (value: number) => Math.trunc(Number(value.toFixed(7)));
  if (original.width / original.height > width / height) {
    const cut = Math.floor((height - whole(original.height * (width / original.width))) / 2);
    return lines.slice(cut, height - cut);
  }
  const cut = Math.floor((width - whole(original.width * (height / original.height))) / 2);
  return lines.map((line) => line.slice(cut, width - cut));
}
