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
  return {
    pieces({ views }) {
      const counted = views.filter(countsInText);
      const isTile = (role: string) => role === 'tile' && counted.length > 1;
      let number = 0;
      return counted.flatMap((view): ArrangedPiece[] => {
        if (isTile(view.role)) number++;
        return [
          { kind: 'text', text: isTile(view.role) ? tile(number) : thumbnail },
          { kind: 'rows', rows: featureRows([view]) },
        ];
      });
    },
  };
}
