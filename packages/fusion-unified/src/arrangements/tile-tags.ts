import type { ImageTokens, SequencePiece, ViewTokens } from '@mmllm/core';
import { countsInText, featureRows } from '../images';
import type { ArrangedPiece, Arrangement } from './arrangement';

export interface TileTagsOptions {
  /** Text in front of each tile, by its number from 1 on. Default `<tile_1>`, `<tile_2>`, … */
  readonly tile?: (number: number) => string;
  /** Text in front of the thumbnail, or of the only view. Default `<tile_global_thumbnail>`. */
  readonly thumbnail?: string;
}

/** Each view behind a tag of text that says which it is (NVLM-D, Dai et al. 2024, arXiv:2409.11402). */
export function tileTags({
  tile = (number) => `<tile_${number}>`,
  thumbnail = '<tile_global_thumbnail>',
}: TileTagsOptions = {}): Arrangement {
  /** Each view behind its tag. */
  const tagged = ({ views }: ImageTokens): [tag: string, view: ViewTokens][] => {
    const counted = views.filter(countsInText);
    let number = 0;
    return counted.map((view) => {
      const isTile = view.role === 'tile' && counted.length > 1;
      if (isTile) number++;
      return [isTile ? tile(number) : thumbnail, view];
    });
  };
  return {
    pieces: (image) =>
      tagged(image).flatMap(([text, view]): ArrangedPiece[] => [
        { kind: 'text', text },
        { kind: 'rows', rows: featureRows([view]) },
      ]),
    placeholders: (image) =>
      tagged(image).flatMap(([text, { count }]): SequencePiece[] => [
        { kind: 'text', text },
        { kind: 'features', count },
      ]),
  };
}
