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
export const C5: usize = 96;
export const C4: usize = 112;
export const C3: usize = 128;
export const C2: usize = 144;
export const C1: usize = 160;
export const HALF: usize = 176;
export const ONE: usize = 192;
/** Two rows of zeros, which also stand for a bias that is left out. */
export const ZEROS: usize = 208;
export const TWO: usize = 240;
export const GELU_LINEAR: usize = 256;
export const GELU_CUBIC: usize = 272;
export const GELU_CUBIC_SLOPE: usize = 288;
export const QUICK_GELU: usize = 304;
export const TANH_LIMIT: usize = 320;
export const T4: usize = 336;
export const T3: usize = 352;
export const T2: usize = 368;
export const T1: usize = 384;
export const T0: usize = 400;
export const SQRT_HALF: usize = 416;
export const DENSITY: usize = 432;
export const ERF: usize = 448;
export const E5: usize = 464;
export const E4: usize = 480;
export const E3: usize = 496;
export const E2: usize = 512;
export const E1: usize = 528;

/** Bytes of the table of constants. */
export const CONSTANTS_SIZE: usize = 544;

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
  // Below the one a float32 exponential is subnormal, above the other infinite.
  put(LOWEST, -87.33654);
  put(HIGHEST, 88.73);
  put(LOG2E, <f32>Math.LOG2E);
  put(ROUND, 12582912);
  // −ln 2 in two parts; the first has so few bits that its product with an exponent is exact.
  put(LN2_HIGH, -0.693359375);
  put(LN2_LOW, 2.1219444e-4);
  // Minimax polynomial of (eʳ − 1) / r on ±½·ln 2, as XNNPACK has it.
  put(C5, 8.289290592e-3);
  put(C4, 4.189782217e-2);
  put(C3, 1.666765213e-1);
  put(C2, 4.999915063e-1);
  put(C1, 9.99999702e-1);
  put(HALF, 0.5);
  put(ONE, 1);
  put(ZEROS, 0);
  put(ZEROS + 16, 0);
  put(TWO, 2);
  putActivations();
}

function putActivations(): void {
  // ½(1 + tanh(u)) = σ(2u) with u = √(2/π)·(x + 0.044715·x³): Hendrycks & Gimpel, arXiv:1606.08415.
  put(GELU_LINEAR, 1.5957691216);
  put(GELU_CUBIC, 0.0713548162726);
  put(GELU_CUBIC_SLOPE, 0.2140644488178);
  put(QUICK_GELU, 1.702);
  // The odd polynomial of Cephes' tanhf, for what is smaller than the limit.
  put(TANH_LIMIT, 0.625);
  put(T4, -5.70498872745e-3);
  put(T3, 2.06390887954e-2);
  put(T2, -5.37397155531e-2);
  put(T1, 1.33314422036e-1);
  put(T0, -3.33332819422e-1);
  put(SQRT_HALF, <f32>Math.SQRT1_2);
  // 1 / √(2π)
  put(DENSITY, 0.39894228);
  // Formula 7.1.26 of Abramowitz & Stegun.
  put(ERF, 0.3275911);
  put(E5, 1.061405429);
  put(E4, -1.453152027);
  put(E3, 1.421413741);
  put(E2, -0.284496736);
  put(E1, 0.254829592);
}
