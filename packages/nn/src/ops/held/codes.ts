import { fromBfloat16, fromFloat16, type HeldType, toBfloat16, toFloat16, WeightError } from '@mmllm/core';
import { encodeQ4, encodeQ8, GROUP } from './groups';

/** A matrix in one of the types, in plain order: each output with all its inputs. Backends pack it as they like. */
export interface HeldCodes {
  readonly type: HeldType;
  readonly outputs: number;
  readonly inputs: number;
  /**
   * [outputs, inputs]. Of bfloat16 and float16 the bits; of q8 a value divided by its scale, from −127 to 127; of q4 the
   * same plus 8, from 0 to 15.
   */
  readonly codes: Uint16Array | Int8Array | Uint8Array;
  /** float32[outputs, ⌈inputs / 32⌉] of q8 and q4; empty for the others. */
  readonly scales: Float32Array;
}

/** A matrix of float32[outputs, inputs], or float32[inputs, outputs] for an `inputAxis` of 0. */
export interface Matrix {
  readonly values: Float32Array;
  readonly shape: readonly [number, number];
  readonly inputAxis: 0 | 1;
}

const ARRAYS = { bfloat16: Uint16Array, float16: Uint16Array, q8: Int8Array, q4: Uint8Array };

/**
 * @param path of the parameter, for messages
 * @throws WeightError for a value that is not finite, or rounds to one that is not.
 */
export function encode({ values, shape, inputAxis }: Matrix, type: HeldType, path: string): HeldCodes {
  const [inputs, outputs] = [shape[inputAxis], shape[1 - inputAxis]!];
  const groups = type === 'q8' || type === 'q4' ? Math.ceil(inputs / GROUP) : 0;
  const codes = new ARRAYS[type](outputs * inputs);
  const scales = new Float32Array(outputs * groups);
  for (let o = 0; o < outputs; o++) {
    const row =
      inputAxis === 1
        ? values.subarray(o * inputs, (o + 1) * inputs)
        : Float32Array.from({ length: inputs }, (_, i) => values[i * outputs + o]!);
    checkFinite(row, type, path);
    encodeRow(row, type, codes.subarray(o * inputs, (o + 1) * inputs), scales.subarray(o * groups));
  }
  return { type, outputs, inputs, codes, scales };
}

const LARGEST = { bfloat16: 3.3961775e38, float16: 65519.996, q8: 3.4028235e38, q4: 3.4028235e38 };

function checkFinite(row: Float32Array, type: HeldType, path: string): void {
  // Written so that NaN fails.
  const bad = row.find((value) => !(Math.abs(value) <= LARGEST[type]));
  if (bad === undefined) return;
  throw new WeightError({ component: path, expected: `values that ${type} can hold`, actual: `${bad}` });
}

function encodeRow(row: Float32Array, type: HeldType, codes: HeldCodes['codes'], scales: Float32Array): void {
  if (codes instanceof Uint16Array) {
    const toCode = type === 'bfloat16' ? toBfloat16 : toFloat16;
    for (let i = 0; i < row.length; i++) codes[i] = toCode(row[i]!);
    return;
  }
  for (let from = 0, group = 0; from < row.length; from += GROUP, group++) {
    const span = { from, to: Math.min(from + GROUP, row.length) };
    scales[group] = codes instanceof Int8Array ? encodeQ8(row, codes, span) : encodeQ4(row, codes, span);
  }
}

/** What codes count as: float32[outputs, inputs]. */
export function decode({ type, outputs, inputs, codes, scales }: HeldCodes): Float32Array {
  if (type === 'bfloat16') return Float32Array.from(codes, fromBfloat16);
  if (type === 'float16') return Float32Array.from(codes, fromFloat16);
  const groups = Math.ceil(inputs / GROUP);
  const zero = type === 'q4' ? 8 : 0;
  const values = new Float32Array(outputs * inputs);
  for (let o = 0, at = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++, at++) {
      values[at] = (codes[at]! - zero) * scales[o * groups + Math.floor(i / GROUP)]!;
    }
  }
  return values;
}
