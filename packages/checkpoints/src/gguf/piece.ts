import type { GroupedPiece, WeightPiece } from '@mmllm/core';
import { toPiece } from '../safetensors/widen';
import { dequantize } from './dequantize';
import { half } from './half';
import { blockOf, type GgufTensor } from './types';

/**
 * A tensor's values as they are stored, where weights can be held so: F16, BF16, Q8_0, Q4_0 and Q4_1. The others are float32.
 * `F32`, `F16` and `BF16` are views of the bytes where their address allows: do not write to them.
 */
export function ggufPiece(tensor: GgufTensor): WeightPiece {
  const { type, shape, data } = tensor;
  switch (type) {
    case 'F16':
    case 'BF16':
      return toPiece({ dtype: type, shape, data });
    case 'Q8_0':
      return q8Piece(data);
    case 'Q4_0':
      return { type: 'q4', ...q4Blocks(data, 'Q4_0') };
    case 'Q4_1':
      return { type: 'q4_1', ...q4Blocks(data, 'Q4_1'), minimums: halves(data, blockOf(type).bytes, 2) };
    default:
      return { type: 'float32', values: dequantize(tensor) };
  }
}

/** Values of a block of either type, at its end. */
const VALUES = 32;

function q8Piece(data: Uint8Array): GroupedPiece {
  const { bytes } = blockOf('Q8_0');
  const scales = halves(data, bytes, 0);
  const values = new Int8Array(VALUES * scales.length);
  for (let block = 0; block < scales.length; block++) {
    const codes = data.subarray((block + 1) * bytes - VALUES, (block + 1) * bytes);
    values.set(new Int8Array(codes.buffer, codes.byteOffset, VALUES), block * VALUES);
  }
  return { type: 'q8', values, scales };
}

function q4Blocks(data: Uint8Array, type: 'Q4_0' | 'Q4_1'): { values: Uint8Array; scales: Float32Array } {
  const { bytes } = blockOf(type);
  const scales = halves(data, bytes, 0);
  const values = new Uint8Array(VALUES * scales.length);
  for (let block = 0, at = 0; block < scales.length; block++, at += VALUES) {
    const codes = (block + 1) * bytes - VALUES / 2;
    // A byte holds value j in its lower and value j + 16 in its upper four bits.
    for (let j = 0; j < VALUES / 2; j++) {
      values[at + j] = data[codes + j]! & 15;
      values[at + j + VALUES / 2] = data[codes + j]! >> 4;
    }
  }
  return { values, scales };
}

/** The float16 at one place of every block. */
const halves = (data: Uint8Array, bytes: number, at: number): Float32Array =>
  Float32Array.from({ length: data.length / bytes }, (_, block) => half(data, block * bytes + at));
