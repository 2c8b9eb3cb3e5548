import { bfloat16ToFloat32, float16ToFloat32 } from '../half';

/** Consecutive numbers of a weight, as a checkpoint stores them; of the 16-bit types their bits. */
export type WeightPiece =
  | { readonly type: 'float32'; readonly values: Float32Array }
  | { readonly type: 'bfloat16' | 'float16'; readonly values: Uint16Array };

/** The numbers as float32, all of them exactly; where they are float32, the array itself. */
export function widen(piece: WeightPiece): Float32Array {
  switch (piece.type) {
    case 'float32':
      return piece.values;
    case 'bfloat16':
      return bfloat16ToFloat32(piece.values);
    case 'float16':
      return float16ToFloat32(piece.values);
  }
}
