import { toFloat32 } from '../safetensors/widen';
import type { Unpack } from './half';
import { unpackQ4K, unpackQ6K } from './k-blocks';
import { unpackQ4, unpackQ5, unpackQ8 } from './small-blocks';
import { blockOf, type GgufTensor, type GgufType } from './types';

const UNPACK: Record<Exclude<GgufType, 'F32' | 'F16' | 'BF16'>, Unpack> = {
  Q8_0: unpackQ8,
  Q4_0: unpackQ4({ hasMinimum: false }),
  Q4_1: unpackQ4({ hasMinimum: true }),
  Q5_0: unpackQ5({ hasMinimum: false }),
  Q5_1: unpackQ5({ hasMinimum: true }),
  Q4_K: unpackQ4K,
  Q6_K: unpackQ6K,
};

/**
 * A tensor's values, bit by bit those of ggml's reference. Scales have 11 significant bits and what they multiply at
 * most 13, so that products and sums are exact in JavaScript's numbers and rounded once, on storing, as there.
 *
 * `F32` is returned in place where its address allows: do not write to it.
 */
export function dequantize({ type, shape, data }: GgufTensor): Float32Array {
  if (type === 'F32' || type === 'F16' || type === 'BF16') return toFloat32({ dtype: type, shape, data });
  const block = blockOf(type);
  const count = data.byteLength / block.bytes;
  const values = new Float32Array(count * block.values);
  const unpack = UNPACK[type];
  for (let i = 0; i < count; i++) unpack(data, i * block.bytes, values, i * block.values);
  return values;
}
