/**
 * Vector constants lie in allocated memory: an engine rebuilds a splat at each use, and a data segment would overwrite
 * the heap of tfjs, whose memory this module works in.
 */
let table: usize = 0;

export const LOWEST: usize = 0;
export const HIGHEST: usize = 16;
export const LOG2E: usize = 32;
export const ROUND: usize = 48;
export const LN2_HIGH: usize = 64;
export const LN2_LOW: usize = 80;
export const C6: usize = 96;
export const C5: usize = 112;
export const C4: usize = 128;
export const C3: usize = 144;
export const C2: usize = 160;
export const HALF: usize = 176;
export const ONE: usize = 192;
export const ZEROS: usize = 208;

/** Bytes of the table of constants: two rows of zeros at its end stand for a bias that is left out. */
export const CONSTANTS_SIZE: usize = 240;

export function constants(): usize {
  return table;
}

function put(at: usize, value: f32): void {
  v128.store(table + at, f32x4.splat(value));
}

/** Says where the table is. */
export function attachConstants(memory: usize): void {
  table = memory;
}

/** Fills the table. */
export function fillConstants(): void {
  // Below it a float32 exponential is subnormal, above it the exponent overflows.
  put(LOWEST, -87.33654);
  put(HIGHEST, 88.37626);
  put(LOG2E, <f32>Math.LOG2E);
  put(ROUND, 12582912);
  // −ln 2 in two parts; the first has so few bits that its product with an exponent is exact.
  put(LN2_HIGH, -0.693359375);
  put(LN2_LOW, 2.1219444e-4);
  // Minimax polynomial of Cephes' expf.
  put(C6, 1.98756915e-4);
  put(C5, 1.3981999507e-3);
  put(C4, 8.3334519073e-3);
  put(C3, 4.1665795894e-2);
  put(C2, 1.6666665459e-1);
  put(HALF, 0.5);
  put(ONE, 1);
  put(ZEROS, 0);
  put(ZEROS + 16, 0);
}
