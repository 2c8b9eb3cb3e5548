/** Weights that are held in fewer bits than float32: their product, its gradient, and their rows. */
import { BLOCKS_SCRATCH, heldBlocks, heldGradientBlocks } from './held-blocks';
import { CODED_GROUP, codedBytes, codeRows } from './held-activations';
import { bfloatDots, bfloatDotsOfFour, halfDots, q4Dots, q8Dots } from './held-dots';
import { BFLOAT16, FLOAT16, GROUP, isGrouped, PANEL, panelBytes, Q8, roundUp } from './held-format';
import { widenPanel } from './held-widen';

/** Up to so many rows read the held form itself, and q8 and q4 code x; more widen it first. */
const FEW_ROWS: i32 = 8;
/** A panel's outputs of `FEW_ROWS` rows, where the weight ends inside the panel. */
const EDGE_BYTES: usize = 256;

function panels(outputs: i32): i32 {
  return (outputs + PANEL - 1) / PANEL;
}

/** Bytes of a held weight. */
export function heldBytes(type: i32, outputs: i32, inputs: i32): usize {
  return <usize>panels(outputs) * panelBytes(type, inputs);
}

/** Bytes of scratch memory that `heldLinear` and `heldGradient` need for m rows. */
export function heldScratch(type: i32, inputs: i32, m: i32): usize {
  const few = EDGE_BYTES + (isGrouped(type) ? <usize>m * codedBytes(inputs) : 0);
  return m <= FEW_ROWS ? max(few, BLOCKS_SCRATCH) : BLOCKS_SCRATCH;
}

/** One panel for up to eight rows of x: floats, or codes of a grouped type. */
function panelDots(
  type: i32,
  panel: usize,
  inputs: i32,
  x: usize,
  xStep: usize,
  m: i32,
  y: usize,
  yStep: usize,
): void {
  let r = 0;
  if (type === BFLOAT16) {
    for (; r + 4 <= m; r += 4) {
      bfloatDotsOfFour(panel, x, xStep, inputs, y, yStep);
      x += 4 * xStep;
      y += 4 * yStep;
    }
  }
  for (; r < m; r++) {
    if (type === BFLOAT16) bfloatDots(panel, x, inputs, y);
    else if (type === FLOAT16) halfDots(panel, x, inputs, y);
    else if (type === Q8) q8Dots(panel, x, inputs, y);
    else q4Dots(panel, x, inputs, y);
    x += xStep;
    y += yStep;
  }
}

/** The outputs of the panels `from` to `to` for up to eight rows. */
function fewRows(
  type: i32,
  held: usize,
  outputs: i32,
  inputs: i32,
  x: usize,
  xStep: usize,
  m: i32,
  y: usize,
  from: i32,
  to: i32,
  scratch: usize,
): void {
  const bytes = panelBytes(type, inputs);
  const yStep = (<usize>outputs) << 2;
  let panel = held + <usize>from * bytes;
  for (let p = from; p < to; p++) {
    const at = y + ((<usize>(p * PANEL)) << 2);
    const width = min(PANEL, outputs - p * PANEL);
    if (width === PANEL) {
      panelDots(type, panel, inputs, x, xStep, m, at, yStep);
    } else {
      panelDots(type, panel, inputs, x, xStep, m, scratch, 32);
      for (let r = 0; r < m; r++) {
        memory.copy(at + <usize>r * yStep, scratch + ((<usize>r) << 5), (<usize>width) << 2);
      }
    }
    panel += bytes;
  }
}

function addBias(y: usize, bias: usize, m: i32, n: i32): void {
  const whole = (<usize>(n & ~3)) << 2;
  const end = (<usize>n) << 2;
  for (let r = 0; r < m; r++) {
    for (let i: usize = 0; i < whole; i += 16) {
      v128.store(y + i, f32x4.add(v128.load(y + i), v128.load(bias + i)));
    }
    for (let i = whole; i < end; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(bias + i));
    y += end;
  }
}

/**
 * `y = x · Hᵀ + bias` for a held weight H of [outputs][inputs] and x of [m][inputs].
 *
 * @param bias float32[outputs], or 0
 */
export function heldLinear(
  type: i32,
  held: usize,
  outputs: i32,
  inputs: i32,
  x: usize,
  m: i32,
  bias: usize,
  y: usize,
  scratch: usize,
): void {
  const all = panels(outputs);
  const codes = scratch + EDGE_BYTES;
  if (m > FEW_ROWS) {
    heldBlocks(type, held, outputs, inputs, x, m, y, 0, all, scratch);
  } else if (!isGrouped(type)) {
    fewRows(type, held, outputs, inputs, x, (<usize>inputs) << 2, m, y, 0, all, scratch);
  } else if (codeRows(x, m, inputs, codes, scratch)) {
    fewRows(type, held, outputs, inputs, codes, codedBytes(inputs), m, y, 0, all, scratch);
  } else {
    // What is not finite has no code.
    heldBlocks(type, held, outputs, inputs, x, m, y, 0, all, scratch);
  }
  if (bias) addBias(y, bias, m, outputs);
}

/** `dx = dy · H` for dy of [m][outputs]. */
export function heldGradient(
  type: i32,
  held: usize,
  outputs: i32,
  inputs: i32,
  dy: usize,
  m: i32,
  dx: usize,
  scratch: usize,
): void {
  heldGradientBlocks(type, held, outputs, inputs, dy, m, dx, 0, inputs, scratch);
}

/** Bytes of scratch memory that `heldRow` needs. */
export function heldRowScratch(inputs: i32): usize {
  return (<usize>roundUp(inputs, GROUP)) << 5;
}

/** Output `row` of a held weight, float32[inputs]. */
export function heldRow(type: i32, held: usize, inputs: i32, row: i32, to: usize, scratch: usize): void {
  const panel = held + <usize>(row / PANEL) * panelBytes(type, inputs);
  widenPanel(type, panel, 0, inputs, scratch);
  let from = scratch + ((<usize>(row % PANEL)) << 2);
  const end = to + ((<usize>inputs) << 2);
  for (; to < end; to += 4) {
    store<f32>(to, load<f32>(from));
    from += 32;
  }
}
