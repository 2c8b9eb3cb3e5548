import { bfloat16ToFloat32, float16ToFloat32 } from '../half';

/** Consecutive numbers of a weight, as a checkpoint stores them; of the 16-bit types their bits. */
export type WeightPiece =
  | { readonly type: 'float32'; readonly values: Float32Array }
  | { readonly type: 'bfloat16' | 'float16'; readonly values: Uint16Array }
  | GroupedPiece;

/**
 * Numbers in groups of 32 with a scale each, `scales[i >> 5] · code`, whose rows are whole groups. Of q8 the codes are
 * signed, of q4 they are from 0 to 15 and count 8 less.
 */
export type GroupedPiece =
  | { readonly type: 'q8'; readonly values: Int8Array; readonly scales: Float32Array }
  | { readonly type: 'q4'; readonly values: Uint8Array; readonly scales: Float32Array };

/** The numbers as float32, rounded once where a product of code and scale needs it; where they are float32, the array itself. */
export function widen(piece: WeightPiece): Float32Array {
  switch (piece.type) {
    case 'float32':
      return piece.values;
    case 'bfloat16':
      return bfloat16ToFloat32(piece.values);
    case 'float16':
      return float16ToFloat32(piece.values);
    case 'q8':
      return widenGroups(piece, 0);
    case 'q4':
      return widenGroups(piece, 8);
  }
}

function widenGroups({ values: codes, scales }: GroupedPiece, zero: number): Float32Array {
  const values = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) values[i] = scales[i >> 5]! * (codes[i]! - zero);
  return values;
}
