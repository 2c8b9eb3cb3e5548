/**
 * How a held weight lies on webgpu: int32 words, for each output all its inputs. Of bfloat16 and float16 a word is two
 * inputs, the first in its low half. Of q8 and q4 each 32 inputs are the scale's bits, and then 8 or 4 words of codes,
 * the first in the lowest bits; of q4_1 the minimum's bits come behind the scale's.
 */

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

const GROUP = 32;
const BITS = { bfloat16: 16, float16: 16, q8: 8, q4: 4, q4_1: 4 };

/** Words in front of the codes of a group; none where there are no groups. */
const FRONT = { bfloat16: 0, float16: 0, q8: 1, q4: 1, q4_1: 2 };

export const isGrouped = (type: HeldType): boolean => FRONT[type] > 0;

/** Words of a group: of its 32 codes and of what is in front of them. */
const groupWords = (type: HeldType): number => BITS[type] + FRONT[type];

/** Words of an output. */
const outputWords = (type: HeldType, inputs: number): number =>
  isGrouped(type) ? Math.ceil(inputs / GROUP) * groupWords(type) : Math.ceil(inputs / 2);

/** The words of all outputs. */
export function toWords({ type, outputs, inputs, codes, scales, minimums }: HeldCodes): Int32Array {
  const width = outputWords(type, inputs);
  const words = new Int32Array(outputs * width);
  const fronts = [scales, minimums].slice(0, FRONT[type]).map(bitsOf);
  const bits = BITS[type];
  const perWord = 32 / bits;
  const mask = 2 ** bits - 1;
  const groups = Math.ceil(inputs / GROUP);
  for (let output = 0; output < outputs; output++) {
    const row = output * width;
    for (const [place, bits] of fronts.entries()) {
      for (let g = 0; g < groups; g++) words[row + g * groupWords(type) + place] = bits[output * groups + g]!;
    }
    for (let i = 0; i < inputs; i++) {
      const before = FRONT[type] * (Math.floor(i / GROUP) + 1);
      const code = (codes[output * inputs + i]! & mask) << (bits * (i % perWord));
      words[row + before + Math.floor(i / perWord)]! |= code;
    }
  }
  return words;
}

const bitsOf = ({ buffer, byteOffset, length }: Float32Array) => new Int32Array(buffer, byteOffset, length);

const HALVES = `
  let word = bitcast<u32>(b[output * ((uniforms.heldInputs + 1) / 2) + input / 2]);`;

const inGroup = (type: HeldType) => `
  let group = (output * ((uniforms.heldInputs + 31) / 32) + input / 32) * ${groupWords(type)};
  let scale = bitcast<f32>(b[group]);`;

const nibble = (type: 'q4' | 'q4_1') => `${inGroup(type)}
  let code = extractBits(bitcast<u32>(b[group + ${FRONT[type]} + input % 32 / 8]), u32(input % 8) * 4u, 4u);`;

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
  q8: `${inGroup('q8')}
  return scale * f32(extractBits(b[group + 1 + input % 32 / 4], u32(input % 4) * 8u, 8u));`,
  q4: `${nibble('q4')}
  return scale * (f32(code) - 8.0);`,
  q4_1: `${nibble('q4_1')}
  return scale * f32(code) + bitcast<f32>(b[group + 1]);`,
};

/** WGSL: an element of the held matrix [outputs, inputs] in `b`, by its place; `uniforms.heldInputs` is its inputs. */
export const heldReader = (type: HeldType): string => `
fn rightAt(place : i32) -> f32 {
  let output = place / uniforms.heldInputs;
  let input = place % uniforms.heldInputs;${VALUE[type]}
}`;
