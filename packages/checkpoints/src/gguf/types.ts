/**
 * Element types that we read. A type stores a row in blocks: so many values in so many bytes.
 * Source of the sizes: `GGML_QUANT_SIZES`, https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/constants.py
 */
const BLOCKS = {
  F32: { values: 1, bytes: 4 },
  F16: { values: 1, bytes: 2 },
  BF16: { values: 1, bytes: 2 },
  Q8_0: { values: 32, bytes: 34 },
  Q4_0: { values: 32, bytes: 18 },
  Q4_1: { values: 32, bytes: 20 },
  Q5_0: { values: 32, bytes: 22 },
  Q5_1: { values: 32, bytes: 24 },
  Q4_K: { values: 256, bytes: 144 },
  Q6_K: { values: 256, bytes: 210 },
} as const;

export type GgufType = keyof typeof BLOCKS;

export const GGUF_TYPES = Object.keys(BLOCKS) as readonly GgufType[];

export const isGgufType = (name: string): name is GgufType => Object.hasOwn(BLOCKS, name);

export const blockOf = (type: GgufType): { readonly values: number; readonly bytes: number } => BLOCKS[type];

/** Type and shape of a tensor. The shape is row-major, as in PyTorch: the reverse of the order in the file. */
export interface GgufTensorInfo {
  readonly type: GgufType;
  readonly shape: readonly number[];
}

/** Where a tensor stands: bytes `start` to `end` (exclusive) of the file. */
export interface GgufSpan extends GgufTensorInfo {
  readonly start: number;
  readonly end: number;
}

/** A tensor as stored: its blocks one after the other, row by row, each row a whole number of them. */
export interface GgufTensor extends GgufTensorInfo {
  readonly data: Uint8Array;
}

/** Bytes of a tensor; undefined if its rows are no whole blocks, or it is too large to count exactly. */
export function ggufByteLength({ type, shape }: GgufTensorInfo): number | undefined {
  const { values, bytes } = BLOCKS[type];
  if ((shape.at(-1) ?? 1) % values !== 0) return undefined;
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(size) || size < 0 || !Number.isSafeInteger(count)) return undefined;
  }
  const length = (count / values) * bytes;
  return Number.isSafeInteger(length) ? length : undefined;
}
