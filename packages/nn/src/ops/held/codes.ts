import {
  fromBfloat16,
  fromFloat16,
  type GroupedPiece,
  type HeldType,
  isGrouped,
  toBfloat16,
  toFloat16,
  WeightError,
  widen,
} from '@mmllm/core';
import { encodeGroup, GROUP } from './groups';

/** A matrix in one of the types, in plain order: each output with all its inputs. Backends pack it as they like. */
export interface HeldCodes {
  readonly type: HeldType;
  readonly outputs: number;
  readonly inputs: number;
  /**
   * [outputs, inputs]. Of bfloat16 and float16 the bits; of q8 a value divided by its scale, from −127 to 127; of q4 the
   * same plus 8, from 0 to 15; of q4_1 a value less its minimum, divided by its scale, from 0 to 15.
   */
  readonly codes: Uint16Array | Int8Array | Uint8Array;
  /** float32[outputs, ⌈inputs / 32⌉] of q8, q4 and q4_1; empty for the others. */
  readonly scales: Float32Array;
  /** The same of q4_1; empty for the others. */
  readonly minimums: Float32Array;
}

/** A matrix of float32[outputs, inputs], or float32[inputs, outputs] for an `inputAxis` of 0. */
export interface Matrix {
  readonly values: Float32Array;
  readonly shape: readonly [number, number];
  readonly inputAxis: 0 | 1;
}

const ARRAYS = {
  bfloat16: Uint16Array,
  float16: Uint16Array,
  q8: Int8Array,
  q4: Uint8Array,
  q4_1: Uint8Array,
};

/**
 * @param path of the parameter, for messages
 * @throws WeightError for a value that is not finite, or rounds to one that is not.
 */
export function encode({ values, shape, inputAxis }: Matrix, type: HeldType, path: string): HeldCodes {
  const [inputs, outputs] = [shape[inputAxis], shape[1 - inputAxis]!];
  const groups = groupsOf(type, inputs);
  const held = noCodes(type, outputs, inputs);
  for (let o = 0; o < outputs; o++) {
    const row =
      inputAxis === 1
        ? values.subarray(o * inputs, (o + 1) * inputs)
        : Float32Array.from({ length: inputs }, (_, i) => values[i * outputs + o]!);
    checkFinite(row, type, path);
    encodeRow(row, {
      type,
      codes: held.codes.subarray(o * inputs, (o + 1) * inputs),
      scales: held.scales.subarray(o * groups),
      minimums: held.minimums.subarray(o * groups),
    });
  }
  return held;
}

const groupsOf = (type: HeldType, inputs: number): number =>
  isGrouped(type) ? Math.ceil(inputs / GROUP) : 0;

/** Room for the codes of a matrix [outputs, inputs]. */
export function noCodes(type: HeldType, outputs: number, inputs: number): HeldCodes {
  const groups = outputs * groupsOf(type, inputs);
  return {
    type,
    outputs,
    inputs,
    codes: new ARRAYS[type](outputs * inputs),
    scales: new Float32Array(groups),
    minimums: new Float32Array(type === 'q4_1' ? groups : 0),
  };
}

const FINITE = 3.4028235e38;
/** Of q4_1 half as much, which two values may be apart. */
const LARGEST = { bfloat16: 3.3961775e38, float16: 65519.996, q8: FINITE, q4: FINITE, q4_1: FINITE / 2 };

function checkFinite(row: Float32Array, type: HeldType, path: string): void {
  // Written so that NaN fails.
  const bad = row.find((value) => !(Math.abs(value) <= LARGEST[type]));
  if (bad !== undefined) throw refuse(bad, type, path);
}

const refuse = (bad: number, type: HeldType, path: string) =>
  new WeightError({ component: path, expected: `values that ${type} can hold`, actual: `${bad}` });

/** All bits of the exponent, which only NaN and infinities have. */
const EXPONENTS = { bfloat16: 0x7f80, float16: 0x7c00 };

/**
 * The same for the codes of a 16-bit type.
 * @throws WeightError for NaN and infinities.
 */
export function checkCodes(codes: Uint16Array, type: 'bfloat16' | 'float16', path: string): void {
  const exponent = EXPONENTS[type];
  // Two at a time, which is most of the time of loading otherwise; they begin at a multiple of four bytes.
  const odd = Math.min((codes.byteOffset / 2) % 2, codes.length);
  const words = new Int32Array(codes.buffer, codes.byteOffset + 2 * odd, (codes.length - odd) >> 1);
  const ends = [codes.subarray(0, odd), codes.subarray(odd + 2 * words.length)];
  const suspects = hasAll(words, exponent) ? [codes] : ends;
  for (const suspect of suspects) {
    const bad = suspect.find((code) => (code & exponent) === exponent);
    if (bad !== undefined) throw refuse(widen({ type, values: Uint16Array.of(bad) })[0]!, type, path);
  }
}

/** Whether one of the halves of the words has all bits of `exponent`: adding its lowest one sets the half's sign then. */
function hasAll(words: Int32Array, exponent: number): boolean {
  const both = exponent | (exponent << 16);
  const lowest = exponent & -exponent;
  const step = lowest | (lowest << 16);
  let sums = 0;
  for (let i = 0; i < words.length; i++) sums |= (words[i]! & both) + step;
  return (sums & 0x8000_8000) !== 0;
}

/**
 * The same for the scales, or the minimums, of a type in groups.
 * @throws WeightError for NaN and infinities.
 */
export function checkScales(scales: Float32Array, type: GroupedPiece['type'], path: string): void {
  checkFinite(scales, type, path);
}

function encodeRow(row: Float32Array, held: Omit<HeldCodes, 'outputs' | 'inputs'>): void {
  const { type, codes } = held;
  if (codes instanceof Uint16Array) {
    const toCode = type === 'bfloat16' ? toBfloat16 : toFloat16;
    for (let i = 0; i < row.length; i++) codes[i] = toCode(row[i]!);
    return;
  }
  for (let from = 0, group = 0; from < row.length; from += GROUP, group++) {
    encodeGroup(row, { ...held, group, from, to: Math.min(from + GROUP, row.length) });
  }
}

/** What codes count as: float32[outputs, inputs]. */
export function decode({ type, outputs, inputs, codes, scales, minimums }: HeldCodes): Float32Array {
  if (type === 'bfloat16') return Float32Array.from(codes, fromBfloat16);
  if (type === 'float16') return Float32Array.from(codes, fromFloat16);
  const groups = Math.ceil(inputs / GROUP);
  const zero = type === 'q4' ? 8 : 0;
  const values = new Float32Array(outputs * inputs);
  for (let o = 0, at = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++, at++) {
      const group = o * groups + Math.floor(i / GROUP);
      const value = (codes[at]! - zero) * scales[group]!;
      values[at] = type === 'q4_1' ? Math.fround(value) + minimums[group]! : value;
    }
  }
  return values;
}
