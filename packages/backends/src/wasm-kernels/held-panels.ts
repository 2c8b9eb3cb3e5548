/** The packing of `assembly/held-format.ts`: panels of eight outputs, written from codes in plain order. */

export const HELD_TYPES = ['bfloat16', 'float16', 'q8', 'q4', 'q4_1'] as const;

export type HeldType = (typeof HELD_TYPES)[number];

/** A matrix [outputs, inputs] in one of the types, as the op layer's `mmllm/HoldWeight` gives it. */
export interface HeldCodes {
  readonly type: HeldType;
  readonly outputs: number;
  readonly inputs: number;
  readonly codes: Uint16Array | Int8Array | Uint8Array;
  /** float32[outputs, ⌈inputs / 32⌉] of q8, q4 and q4_1. */
  readonly scales: Float32Array;
  /** The same of q4_1. */
  readonly minimums: Float32Array;
}

/** Outputs from `first` on of such a matrix, in which `outputs` counts all: the arrays are theirs alone. */
export interface HeldRows extends HeldCodes {
  readonly first: number;
}

export const PANEL = 8;
const GROUP = 32;
const SCALES = 32;

export const isGrouped = (type: HeldType): boolean => type === 'q8' || type === 'q4' || type === 'q4_1';

/** Bytes in front of the codes of a group, and of these. */
const groupBytes = (type: HeldType): { front: number; codes: number } => ({
  front: type === 'q4_1' ? 2 * SCALES : SCALES,
  codes: type === 'q8' ? 256 : 128,
});

/** Writes the groups of some outputs of such a type into the panels' memory, which was zero. */
export function writeGroups(rows: HeldRows, memory: Uint8Array): void {
  for (let row = 0; row < rows.codes.length / rows.inputs; row++) writeOutput(rows, row, memory);
}

function writeOutput(
  { type, codes, scales, minimums, inputs, first }: HeldRows,
  row: number,
  memory: Uint8Array,
): void {
  const groups = Math.ceil(inputs / GROUP);
  const { front, codes: codeBytes } = groupBytes(type);
  const place = (first + row) % PANEL;
  const panel = ((first + row - place) / PANEL) * groups * (front + codeBytes);
  const floats = new Float32Array(memory.buffer, memory.byteOffset, memory.byteLength / 4);
  for (let group = 0; group < groups; group++) {
    const at = panel + group * (front + codeBytes);
    floats[at / 4 + place] = scales[row * groups + group]!;
    if (type === 'q4_1') floats[(at + SCALES) / 4 + place] = minimums[row * groups + group]!;
    const from = row * inputs + group * GROUP;
    const count = Math.min(GROUP, inputs - group * GROUP);
    // Vectors of the first four outputs and of the others take turns.
    const to = at + front + 4 * place;
    if (type === 'q8') {
      for (let i = 0; i < count; i++) memory[to + 32 * (i >> 2) + (i & 3)] = codes[from + i]!;
    } else {
      for (let i = 0; i < count; i++) memory[to + 32 * (i >> 3) + (i & 3)]! |= codes[from + i]! << (i & 4);
    }
  }
}
