import type { WeightType } from '@mmllm/core';
import { type NameMap, toTheirs } from '../weights/name-map';
import type { RowSource } from '../weights/source';
import { dequantize } from './dequantize';
import type { GgufFile } from './file';
import { ggufPiece } from './piece';
import type { GgufType } from './types';

/**
 * The tensors of an open file as weights. Read by rows, F16, BF16, Q8_0, Q4_0 and Q4_1 stay what they are, so that weights held
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

/** What a weight can be held as without a change of its values; K-quants and Q5 are widened. */
const HELD: { readonly [type in GgufType]?: WeightType } = {
  ...{ F16: 'float16', BF16: 'bfloat16' },
  ...{ Q8_0: 'q8', Q4_0: 'q4', Q4_1: 'q4_1' },
};

/**
 * The type of each parameter as a file has it, for `holdWeights` of `@mmllm/nn` before the file is loaded: the weights
 * then keep the file's values, and take about its memory. `float32` for what no rule covers and what can only be widened.
 */
export function ggufTypes(file: GgufFile, map: NameMap): (path: string) => WeightType {
  return (path) => {
    const types = toTheirs(map, path).flatMap(({ keys }) => {
      const key = keys.find((name) => file.tensors.has(name));
      return key === undefined ? [] : [HELD[file.span(key).type] ?? 'float32'];
    });
    const [first = 'float32'] = types;
    return types.every((type) => type === first) ? first : 'float32';
  };
}
