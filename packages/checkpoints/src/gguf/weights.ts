import type { WeightSource } from '../weights/source';
import { dequantize } from './dequantize';
import type { GgufFile } from './file';

/** The tensors of an open file as float32 weights, de-quantised one at a time. The file stays the caller's to close. */
export function ggufWeights(file: GgufFile): WeightSource {
  return {
    name: file.name,
    keys: () => file.tensors.keys(),
    shape: (key) => file.span(key).shape,
    read: async (key, options) => dequantize(await file.read(key, options)),
  };
}
