/** The packing of `assembly/held-format.ts`: panels of eight outputs, written from codes in plain order. */

export const HELD_TYPES = ['bfloat16', 'float16', 'q8', 'q4'] as const;

export type HeldType = (typeof HELD_TYPES)[number];

/** A matrix [outputs, inputs] in one of the types, as the op layer's `mmllm/HoldWeight` gives it. */
export interface HeldCodes {
  readonly type: HeldType;
  readonly outputs: number;
  readonly inputs: number;
  readonly codes: Uint16Array | Int8Array | Uint8Array;
  /** float32[outputs, ⌈inputs / 32⌉] of q8 and q4. */
  readonly scales: Float32Array;
}

const PANEL = 8;
const GROUP = 32;
const SCALES = 32;

/** Writes all panels into zeroed memory. */
export function writePanels(matrix: HeldCodes, memory: Uint8Array): void {
  for (let output = 0; output < matrix.outputs; output++) {
    if (matrix.type === 'q8' || matrix.type === 'q4') writeGroups(matrix, memory, output);
    else writeHalves(matrix, memory, output);
  }
}

/** Output i of the first four is the low half of word i, output 4 + i the high half. */
function writeHalves({ codes, inputs }: HeldCodes, memory: Uint8Array, output: number): void {
  const halves = new Uint16Array(memory.buffer, memory.byteOffset, memory.byteLength / 2);
  const place = output % PANEL;
  const column = place < 4 ? 2 * place : 2 * place - 7;
  let at = (output - place) * inputs + column;
  for (let i = 0; i < inputs; i++, at += PANEL) halves[at] = codes[output * inputs + i]!;
}

function writeGroups({ type, codes, scales, inputs }: HeldCodes, memory: Uint8Array, output: number): void {
  const groups = Math.ceil(inputs / GROUP);
  const groupBytes = SCALES + (type === 'q8' ? 256 : 128);
  const place = output % PANEL;
  const panel = ((output - place) / PANEL) * groups * groupBytes;
  const floats = new Float32Array(memory.buffer, memory.byteOffset, memory.byteLength / 4);
  for (let group = 0; group < groups; group++) {
    const at = panel + group * groupBytes;
    floats[at / 4 + place] = scales[output * groups + group]!;
    const first = output * inputs + group * GROUP;
    const count = Math.min(GROUP, inputs - group * GROUP);
    // Vectors of the first four outputs and of the others take turns.
    const to = at + SCALES + 4 * place;
    if (type === 'q8') {
      for (let i = 0; i < count; i++) memory[to + 32 * (i >> 2) + (i & 3)] = codes[first + i]!;
    } else {
      for (let i = 0; i < count; i++) memory[to + 32 * (i >> 3) + (i & 3)]! |= codes[first + i]! << (i & 4);
    }
  }
}
