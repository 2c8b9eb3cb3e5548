/**
 * The types with 32 values a block: a scale, where asked for the least value, and the values in 8, 4 or 5 bits.
 * Layouts: `ggml-common.h`, arithmetic: `dequantize_row_*` of `ggml-quants.c`,
 * https://github.com/ggml-org/ggml/tree/master/src
 */
import { half, type Unpack } from './half';

interface Kind {
  /** Values count from the least of the block, which is stored, and not from the middle of their range. */
  readonly hasMinimum: boolean;
}

/** Half of a block: a byte holds value j in its lower and value j + 16 in its upper four bits. */
const HALF = 16;

/** Added where there is no least value: unlike 0, it leaves a negative zero as it is. */
const NONE = -0;

/** `d`, int8[32]. */
export const unpackQ8: Unpack = (bytes, start, values, at) => {
  const scale = half(bytes, start);
  for (let j = 0; j < 2 * HALF; j++) values[at + j] = scale * ((bytes[start + 2 + j]! << 24) >> 24);
};

/** `d`, the least value if any, and 16 bytes. */
export const unpackQ4 = ({ hasMinimum }: Kind): Unpack => {
  const quants = hasMinimum ? 4 : 2;
  const zero = hasMinimum ? 0 : 8;
  return (bytes, start, values, at) => {
    const scale = half(bytes, start);
    const minimum = hasMinimum ? half(bytes, start + 2) : NONE;
    for (let j = 0; j < HALF; j++) {
      const byte = bytes[start + quants + j]!;
      values[at + j] = scale * ((byte & 15) - zero) + minimum;
      values[at + j + HALF] = scale * ((byte >> 4) - zero) + minimum;
    }
  };
};

/** As `unpackQ4`, with the fifth bit of every value in four bytes before the others. */
export const unpackQ5 = ({ hasMinimum }: Kind): Unpack => {
  const fifths = hasMinimum ? 4 : 2;
  const quants = fifths + 4;
  const zero = hasMinimum ? 0 : 16;
  return (bytes, start, values, at) => {
    const scale = half(bytes, start);
    const minimum = hasMinimum ? half(bytes, start + 2) : NONE;
    for (let j = 0; j < HALF; j++) {
      const byte = bytes[start + quants + j]!;
      const [low, high] = [fifth(bytes, start + fifths, j), fifth(bytes, start + fifths, j + HALF)];
      values[at + j] = scale * (((byte & 15) | low) - zero) + minimum;
      values[at + j + HALF] = scale * (((byte >> 4) | high) - zero) + minimum;
    }
  };
};

/** Bit j of the bytes from `at` on, as the fifth bit of a value. */
const fifth = (bytes: Uint8Array, at: number, j: number): number =>
  ((bytes[at + (j >> 3)]! >> (j & 7)) & 1) << 4;
