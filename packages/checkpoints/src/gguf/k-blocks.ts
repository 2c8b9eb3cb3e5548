/**
 * The types with 256 values a block, in parts that have scales of their own.
 * Layouts: `ggml-common.h`, arithmetic: `dequantize_row_q4_K` and `_q6_K` of `ggml-quants.c`,
 * https://github.com/ggml-org/ggml/tree/master/src
 */
import { half, type Unpack } from './half';

/**
 * `d`, `dmin`, 12 bytes with eight scales and eight minima of 6 bits, 128 bytes with the values. Two parts of 32
 * values share 32 bytes: the first has their lower four bits.
 */
export const unpackQ4K: Unpack = (bytes, start, values, at) => {
  const [d, dmin] = [half(bytes, start), half(bytes, start + 2)];
  for (let part = 0; part < 8; part++) {
    const scale = d * sixBits(bytes, start + 4, part, 'scale');
    const minimum = dmin * sixBits(bytes, start + 4, part, 'minimum');
    const quants = start + 16 + 32 * (part >> 1);
    const shift = 4 * (part & 1);
    for (let j = 0; j < 32; j++) {
      values[at + 32 * part + j] = scale * ((bytes[quants + j]! >> shift) & 15) - minimum;
    }
  }
};

/**
 * The first four scales, then the first four minima, are the lower six bits of a byte. Of the other four each, bits 0
 * to 3 are half of a byte at the end, and bits 4 and 5 the spare ones of the first eight bytes.
 */
function sixBits(bytes: Uint8Array, at: number, part: number, which: 'scale' | 'minimum'): number {
  const own = at + (which === 'scale' ? 0 : 4) + (part & 3);
  if (part < 4) return bytes[own]! & 63;
  const shared = bytes[at + 4 + part]!;
  return (which === 'scale' ? shared & 15 : shared >> 4) | ((bytes[own]! >> 6) << 4);
}

/**
 * 128 bytes with the lower four bits, 64 with the upper two, int8[16] scales, `d`. A part is 16 values; in each half
 * of the block, 64 bytes hold values j and j + 64, and 32 bytes values j, j + 32, j + 64 and j + 96.
 */
export const unpackQ6K: Unpack = (bytes, start, values, at) => {
  const d = half(bytes, start + 208);
  for (let i = 0; i < 256; i++) {
    const [block, within] = [i >> 7, i & 127];
    const low = bytes[start + 64 * block + (within & 63)]! >> (4 * (within >> 6));
    const high = bytes[start + 128 + 32 * block + (within & 31)]! >> (2 * (within >> 5));
    const scale = d * ((bytes[start + 192 + (i >> 4)]! << 24) >> 24);
    values[at + i] = scale * (((low & 15) | ((high & 3) << 4)) - 32);
  }
};
