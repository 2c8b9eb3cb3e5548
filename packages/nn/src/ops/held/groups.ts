/** Codes of 8 and 4 bits for groups of values with one scale: formats q8_0 and q4_0 of ggml, with float32 scales. */

/** Values that share a scale. */
export const GROUP = 32;

/** The values `from` to `to` of a row. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Codes from −127 to 127, for `value ≈ scale · code`. Returns the scale. */
export function encodeQ8(row: Float32Array, codes: Int8Array, { from, to }: Span): number {
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
export function encodeQ4(row: Float32Array, codes: Uint8Array, { from, to }: Span): number {
  let farthest = 0;
  for (let i = from; i < to; i++) if (Math.abs(row[i]!) > Math.abs(farthest)) farthest = row[i]!;
  const scale = Math.fround(farthest / -8);
  for (let i = from; i < to; i++) {
    const code = scale === 0 ? 8 : Math.trunc(row[i]! / scale + 8.5);
    codes[i] = Math.max(0, Math.min(15, code));
  }
  return scale;
}
