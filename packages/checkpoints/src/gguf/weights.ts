import type { RowSource } from '../weights/source';
import { dequantize } from './dequantize';
import type { GgufFile } from './file';
import { ggufPiece } from './piece';

/**
 * The tensors of an open file as weights. Read by rows, F16, BF16, Q8_0 and Q4_0 stay what they are, so that weights held
 * in the same type take them over; all else is de-quantised. The file stays the caller's to close.
 */
export function ggufWeights(file: GgufFile): RowSource {
  return {
    name: file.name,
    keys: () => file.tensors.keys(),
    shape: (key) => file.span(key).shape,
    read: async (key, options) => dequantize(await file.read(key, options)),
    readRows: async (key, start, end, options) => ggufPiece(await file.readRows(key, start, end, options)),
  };
}
