/**
 * Element types of the format and their width in bits. Their order is the reference library's order of growing
 * alignment, which decides where a tensor stands in a file.
 * Source: enum `Dtype` in safetensors 0.8, https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs
 */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

export type Dtype = keyof typeof BITS;

export const DTYPES = Object.keys(BITS) as readonly Dtype[];

const RANK = new Map(DTYPES.map((dtype, index) => [dtype, index]));

/** Position in the order of alignment: 0 for `BOOL`, highest for `U64`. */
export const alignmentRank = (dtype: Dtype): number => RANK.get(dtype)!;

export const isDtype = (text: string): text is Dtype => Object.hasOwn(BITS, text);

/** Type and shape of a tensor, `[]` for a scalar. */
export interface TensorInfo {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** A tensor's values as stored: little-endian, row-major, without gaps. */
export interface TensorData extends TensorInfo {
  readonly data: Uint8Array;
}

/**
 * Bytes of a tensor; undefined for a shape that is not made of non-negative integers, is too large to count
 * exactly, or (below eight bits an element) does not end on a whole byte.
 */
export function byteLength({ dtype, shape }: TensorInfo): number | undefined {
  let bits: number = BITS[dtype];
  for (const dimension of shape) {
    bits *= dimension;
    if (!Number.isSafeInteger(dimension) || dimension < 0 || !Number.isSafeInteger(bits)) return undefined;
  }
  return bits % 8 === 0 ? bits / 8 : undefined;
}

/** `F32[2, 3]`, for messages. */
export const describeTensor = ({ dtype, shape }: TensorInfo): string => `${dtype}[${shape.join(', ')}]`;
