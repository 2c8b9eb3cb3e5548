/**
 * How a held weight lies on webgpu: int32 words, for each output all its inputs. Of bfloat16 and float16 a word is two
 * inputs, the first in its low half. Of q8 and q4 each 32 inputs are the scale's bits, and then 8 or 4 words of codes,
 * the first in the lowest bits.
 */

export type HeldType = 'bfloat16' | 'float16' | 'q8' | 'q4';

/** A matrix [outputs, inputs] in one of the types, as the op layer's `mmllm/HoldWeight` gives it. */
export interface HeldCodes {
  readonly type: HeldType;
  readonly outputs: number;
  readonly inputs: number;
  readonly codes: Uint16Array | Int8Array | Uint8Array;
  /** float32[outputs, ⌈inputs / 32⌉] of q8 and q4. */
  readonly scales: Float32Array;
}

const GROUP = 32;
const BITS = { bfloat16: 16, float16: 16, q8: 8, q4: 4 };

const isGrouped = (type: HeldType): boolean => type === 'q8' || type === 'q4';

/** Words of a group with its scale. */
const groupWords = (type: HeldType): number => BITS[type] + 1;

/** Words of an output. */
const outputWords = (type: HeldType, inputs: number): number =>
  isGrouped(type) ? Math.ceil(inputs / GROUP) * groupWords(type) : Math.ceil(inputs / 2);

/** The words of all outputs. */
export function toWords({ type, outputs, inputs, codes, scales }: HeldCodes): Int32Array {
  const width = outputWords(type, inputs);
  const words = new Int32Array(outputs * width);
  const scaleBits = new Int32Array(scales.buffer, scales.byteOffset, scales.length);
  const bits = BITS[type];
  const perWord = 32 / bits;
  const mask = 2 ** bits - 1;
  const groups = Math.ceil(inputs / GROUP);
  for (let output = 0; output < outputs; output++) {
    const row = output * width;
    if (isGrouped(type)) {
      for (let g = 0; g < groups; g++) words[row + g * groupWords(type)] = scaleBits[output * groups + g]!;
    }
    for (let i = 0; i < inputs; i++) {
      // A scale comes before each group's codes.
      const before = isGrouped(type) ? Math.floor(i / GROUP) + 1 : 0;
      const code = (codes[output * inputs + i]! & mask) << (bits * (i % perWord));
      words[row + before + Math.floor(i / perWord)]! |= code;
    }
  }
  return words;
}

const HALVES = `
  let word = bitcast<u32>(b[output * ((uniforms.heldInputs + 1) / 2) + input / 2]);`;

const inGroup = (words: number) => `
  let group = (output * ((uniforms.heldInputs + 31) / 32) + input / 32) * ${words};
  let scale = bitcast<f32>(b[group]);`;

const VALUE: Record<HeldType, string> = {
  bfloat16: `${HALVES}
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, input % 2 == 1));`,
  // By hand: the built-in function may take subnormal values for zero.
  float16: `${HALVES}
  let code = select(word & 0xffffu, word >> 16u, input % 2 == 1);
  let small = f32(code & 0x3ffu) * 5.9604644775390625e-8;
  let normal = bitcast<f32>(((code & 0x7fffu) << 13u) + 0x38000000u);
  let size = select(normal, small, (code & 0x7c00u) == 0u);
  return select(size, -size, (code & 0x8000u) != 0u);`,
  q8: `${inGroup(9)}
  return scale * f32(extractBits(b[group + 1 + input % 32 / 4], u32(input % 4) * 8u, 8u));`,
  q4: `${inGroup(5)}
  let code = extractBits(bitcast<u32>(b[group + 1 + input % 32 / 8]), u32(input % 8) * 4u, 4u);
  return scale * (f32(code) - 8.0);`,
};

/** WGSL: an element of the held matrix [outputs, inputs] in `b`, by its place; `uniforms.heldInputs` is its inputs. */
export const heldReader = (type: HeldType): string => `
fn rightAt(place : i32) -> f32 {
  let output = place / uniforms.heldInputs;
  let input = place % uniforms.heldInputs;${VALUE[type]}
}`;
