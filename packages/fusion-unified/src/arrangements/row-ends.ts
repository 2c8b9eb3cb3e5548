import type { SequencePiece } from '@mmllm/core';
import { countsInText } from '../images';
import type { ArrangedPiece, Arrangement } from './arrangement';
import { gridOf, gridRows } from './grid';

const component = 'arrangement rowEnds';

export interface RowEndsOptions {
  /** Text behind each row of patches: `[IMG_BREAK]` of Pixtral, `|NEWLINE|` of Fuyu. */
  readonly row: string;
  /** Text behind the last row of a picture instead: `[IMG_END]` of Pixtral. Default `row`. */
  readonly last?: string;
}

/** Every row of a picture's grid, with a token of text behind it (Fuyu; Pixtral, Agrawal et al. 2024, arXiv:2410.07073). */
export function rowEnds({ row, last = row }: RowEndsOptions): Arrangement {
  return {
    pieces: ({ views }) =>
      views.filter(countsInText).flatMap((view) => {
        const lines = gridRows(component, view);
        return lines.flatMap((rows, i): ArrangedPiece[] => [
          { kind: 'rows', rows },
          { kind: 'text', text: i === lines.length - 1 ? last : row },
        ]);
      }),
    placeholders: ({ views }) =>
      views.filter(countsInText).flatMap((view) => {
        const { frames, rows, columns } = gridOf(component, view);
        return Array.from({ length: frames * rows }, (_, i): SequencePiece[] => [
          { kind: 'features', count: columns },
          { kind: 'text', text: i === frames * rows - 1 ? last : row },
        ]).flat();
      }),
  };
}
