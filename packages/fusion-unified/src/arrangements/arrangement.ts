import type { ImageTokens, SequencePiece } from '@mmllm/core';
import { countFeatureRows, featureRows } from '../images';

/** A piece of what stands for a picture in the text. */
export type ArrangedPiece =
  /** Feature rows of the batch, each in the place of one image token. */
  | { readonly kind: 'rows'; readonly rows: readonly number[] }
  /** The fusion's learned newline, in the place of one image token. */
  | { readonly kind: 'newline' }
  /** Text of the vocabulary. */
  | { readonly kind: 'text'; readonly text: string };

/** How the tokens of a picture stand in the text: in which order, which of them, and what stands between them. */
export interface Arrangement {
  /** Whether the fusion has a newline to learn. Default false. */
  readonly newline?: boolean;
  /** @throws ShapeError for a picture whose views it cannot arrange. */
  pieces(image: ImageTokens): ArrangedPiece[];
  /** What the text must hold for the pieces, without naming every row. Default: counted from the pieces. */
  placeholders?(image: ImageTokens): SequencePiece[];
}

/** All rows of all views that count, one after the other. */
export const inOrder: Arrangement = {
  pieces: ({ views }) => [{ kind: 'rows', rows: featureRows(views) }],
  placeholders: ({ views }) => [{ kind: 'features', count: countFeatureRows(views) }],
};

/** Stands for the newline among feature rows. */
export const NEWLINE = -2;

/** What takes the place of each image token: a feature row, or `NEWLINE`. */
export const slotsOf = (pieces: readonly ArrangedPiece[]): number[] =>
  pieces.flatMap((piece) => {
    if (piece.kind === 'text') return [];
    return piece.kind === 'rows' ? piece.rows : [NEWLINE];
  });

/** The same as the text must hold it; image tokens that touch are one run. */
export function placeholdersOf(pieces: readonly ArrangedPiece[]): SequencePiece[] {
  const placeholders: SequencePiece[] = [];
  for (const piece of pieces) {
    if (piece.kind === 'text') {
      placeholders.push(piece);
      continue;
    }
    const count = piece.kind === 'rows' ? piece.rows.length : 1;
    const last = placeholders.at(-1);
    if (last?.kind === 'features')
      placeholders[placeholders.length - 1] = { ...last, count: last.count + count };
    else placeholders.push({ kind: 'features', count });
  }
  return placeholders;
}
