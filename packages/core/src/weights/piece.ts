import { bfloat16ToFloat32, float16ToFloat32 } from '../half';
import type { WeightType } from '../held-weight';

/** Consecutive numbers of a weight, as a checkpoint stores them; of the 16-bit types their bits. */
export type WeightPiece =
  | { readonly type: 'float32'; readonly values: Float32Array }
  | { readonly type: 'bfloat16' | 'float16'; readonly values: Uint16Array }
  | GroupedPiece;

/**
 * Numbers in groups of 32 with a scale each, `scales[i >> 5] · code`, whose rows are whole groups. Of q8 the codes are
 * signed, of q4 they are from 0 to 15 and count 8 less, of q4_1 they are from 0 to 15 above the minimum of their group.
 */
export type GroupedPiece =
  | { readonly type: 'q8'; readonly values: Int8Array; readonly scales: Float32Array }
  | { readonly type: 'q4'; readonly values: Uint8Array; readonly scales: Float32Array }
  | {
      readonly type: 'q4_1';
      readonly values: Uint8Array;
      readonly scales: Float32Array;
      readonly minimums: Float32Array;
    };

/** Whether a piece is in groups. */
export const isGroupedPiece = (piece: WeightPiece): piece is GroupedPiece => isGrouped(piece.type);

/** Whether numbers of a type are in groups of 32. */
export const isGrouped = (type: WeightType): type is GroupedPiece['type'] =>
  type === 'q8' || type === 'q4' || type === 'q4_1';

/** The numbers as float32, each operation of them rounded; where they are float32, the array itself. */
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
    case 'q4_1':
      return widenGroups(piece, 0, piece.minimums);
  }
}

function widenGroups(
  { values: codes, scales }: GroupedPiece,
  zero: number,
  minimums?: Float32Array,
): Float32Array {
  const values = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    const value = scales[i >> 5]! * (codes[i]! - zero);
    values[i] = minimums ? Math.fround(value) + minimums[i >> 5]! : value;
  }
  return values;
}
