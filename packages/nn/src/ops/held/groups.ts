/** Codes of 8 and 4 bits for groups of values: formats q8_0, q4_0 and q4_1 of ggml, with float32 scales and minimums. */
import type { HeldType } from '@mmllm/core';

/** Values that share a scale. */
export const GROUP = 32;

/** The values `from` to `to` of a row. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** Where a row's codes go, and of its groups the one to fill. */
interface Target extends Span {
  readonly type: HeldType;
  readonly codes: Uint16Array | Int8Array | Uint8Array;
  readonly scales: Float32Array;
  readonly minimums: Float32Array;
  readonly group: number;
}

/** Writes the codes of the values `from` to `to`, with the scale and the minimum of their group. */
export function encodeGroup(
  row: Float32Array,
  { type, codes, scales, minimums, group, from, to }: Target,
): void {
  const span = { from, to };
  if (type === 'q8') scales[group] = encodeQ8(row, codes, span);
  else if (type === 'q4') scales[group] = encodeQ4(row, codes, span);
  else [scales[group], minimums[group]] = encodeQ41(row, codes, span);
}

type Codes = Target['codes'];

/** Codes from −127 to 127, for `value ≈ scale · code`. Returns the scale. */
function encodeQ8(row: Float32Array, codes: Codes, { from, to }: Span): number {
  let most = 0;
  for (let i = from; i < to; i++) most = Math.max(most, Math.abs(row[i]!));
  const scale = Math.fround(most / 127);
  for (let i = from; i < to; i++) {
    const code = scale === 0 ? 0 : row[i]! / scale;
    codes[i] = Math.max(-127, Math.min(127, Math.trunc(code + (code < 0 ? -0.5 : 0.5))));
  }
  return scale;
}

/** Codes from 0 to 15, for `value ≈ scale · (code − 8)`; the value farthest from zero is exactly code 0. Returns the scale. */
function encodeQ4(row: Float32Array, codes: Codes, { from, to }: Span): number {
  let farthest = 0;
  for (let i = from; i < to; i++) if (Math.abs(row[i]!) > Math.abs(farthest)) farthest = row[i]!;
  const scale = Math.fround(farthest / -8);
  for (let i = from; i < to; i++) {
    const code = scale === 0 ? 8 : Math.trunc(row[i]! / scale + 8.5);
    codes[i] = Math.max(0, Math.min(15, code));
  }
  return scale;
}

/** Codes from 0 to 15, for `value ≈ scale · code + minimum`. Returns the scale and the minimum. */
function encodeQ41(row: Float32Array, codes: Codes, { from, to }: Span): [scale: number, minimum: number] {
  let [least, most] = [row[from]!, row[from]!];
  for (let i = from; i < to; i++) {
    least = Math.min(least, row[i]!);
    most = Math.max(most, row[i]!);
  }
  const scale = Math.fround((most - least) / 15);
  for (let i = from; i < to; i++) {
    const code = scale === 0 ? 0 : Math.trunc((row[i]! - least) / scale + 0.5);
    codes[i] = Math.min(15, code);
  }
  return [scale, least];
}
