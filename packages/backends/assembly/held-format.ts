/**
 * How a held weight lies in memory: panels of eight outputs, each with all its inputs. `src/wasm-kernels/held-panels.ts`
 * writes them.
 *
 * - bfloat16, float16: for each input 16 bytes, in which output i of the first four is the low half of word i, and
 *   output 4 + i the high half.
 * - q8: for each 32 inputs eight float32 scales, then for each 4 inputs twice 16 bytes: four outputs of 4 inputs each.
 * - q4: the same with 8 inputs in 16 bytes: of each byte the low half is one of the first 4, the high half of the next.
 * - q4_1: the same with eight float32 minimums behind the scales.
 */

export const BFLOAT16: i32 = 0;
export const FLOAT16: i32 = 1;
export const Q8: i32 = 2;
export const Q4: i32 = 3;
export const Q4_1: i32 = 4;

/** Outputs of a panel. */
export const PANEL: i32 = 8;
/** Inputs that share a scale. */
export const GROUP: i32 = 32;
/** Bytes of the scales of a group, or of its minimums. */
export const SCALES: usize = 32;
/** Bytes of the codes of a group. */
export const Q8_CODES: usize = 256;
export const Q4_CODES: usize = 128;

export function roundUp(n: i32, unit: i32): i32 {
  return ((n + unit - 1) / unit) * unit;
}

/** Whether outputs are in groups with a scale. */
export function isGrouped(type: i32): bool {
  return type >= Q8;
}

/** Bytes of one group of a panel. */
export function groupBytes(type: i32): usize {
  if (type === Q8) return SCALES + Q8_CODES;
  return (type === Q4_1 ? 2 * SCALES : SCALES) + Q4_CODES;
}

/** Bytes of a panel. */
export function panelBytes(type: i32, inputs: i32): usize {
  if (!isGrouped(type)) return (<usize>inputs) << 4;
  return <usize>(roundUp(inputs, GROUP) / GROUP) * groupBytes(type);
}
