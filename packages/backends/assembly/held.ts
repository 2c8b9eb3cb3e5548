/** Weights that are held in fewer bits than float32: their product, its gradient, and their rows. */
import { finishColumns } from './epilogue';
import { codedBytes, codeRows } from './held-activations';
import { BLOCKS_SCRATCH, heldBlocks, heldGradientBlocks } from './held-blocks';
import { bfloatDots, bfloatDotsOfFour, halfDots, q4Dots, q8Dots, q41Dots } from './held-dots';
import { BFLOAT16, FLOAT16, GROUP, isGrouped, PANEL, panelBytes, Q4, Q8, roundUp } from './held-format';
import { widenPanel } from './held-widen';
import { HELD_GRADIENT, HELD_LINEAR } from './jobs';
import { argument, begin, first, launch, partsFor, put, threads } from './threads';

/** Up to so many rows read the held form itself, and types in groups code x; more widen it first. */
const FEW_ROWS: i32 = 8;

function panels(outputs: i32): i32 {
  return (outputs + PANEL - 1) / PANEL;
}

/** Bytes of a held weight. */
export function heldBytes(type: i32, outputs: i32, inputs: i32): usize {
  return <usize>panels(outputs) * panelBytes(type, inputs);
}

/** Bytes of scratch memory of a thread: for blocks, or the edge of a few rows. */
const THREAD_SCRATCH: usize = (BLOCKS_SCRATCH + 127) & ~127;

/** Bytes of scratch memory that `heldLinear` and `heldGradient` need for m rows. */
export function heldScratch(type: i32, inputs: i32, m: i32): usize {
  const codes = isGrouped(type) ? <usize>min(m, FEW_ROWS) * codedBytes(inputs) : 0;
  return <usize>threads() * THREAD_SCRATCH + codes;
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
    else if (type === Q4) q4Dots(panel, x, inputs, y);
    else q41Dots(panel, x, inputs, y);
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

/** Adds float32[n] to the columns `from` to `to` of m rows. */
function addBias(y: usize, bias: usize, m: i32, n: i32, from: i32, to: i32): void {
  if (!bias) return;
  for (let r = 0; r < m; r++) {
    const row = y + ((<usize>(r * n)) << 2);
    let i = from;
    for (; i + 4 <= to; i += 4) {
      const at = row + ((<usize>i) << 2);
      v128.store(at, f32x4.add(v128.load(at), v128.load(bias + ((<usize>i) << 2))));
    }
    for (; i < to; i++) {
      const at = row + ((<usize>i) << 2);
      store<f32>(at, load<f32>(at) + load<f32>(bias + ((<usize>i) << 2)));
    }
  }
}

/** Reading a value of a held weight takes as long as so many operations. */
const READ: f64 = 6;

/**
 * `y = x · Hᵀ + bias` for a held weight H of [outputs][inputs] and x of [m][inputs]; then
 * `activated = activation(y) + residual` if it is asked for, as `matmul` does.
 *
 * @param bias float32[outputs], or 0
 * @param scratch `heldScratch` bytes
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
  activation: i32,
  residual: usize,
  activated: usize,
  scratch: usize,
): void {
  const codes = scratch + <usize>threads() * THREAD_SCRATCH;
  let isFew = m <= FEW_ROWS;
  let from = x;
  let step = (<usize>inputs) << 2;
  if (isFew && isGrouped(type)) {
    // What is not finite has no code.
    isFew = codeRows(x, m, inputs, codes, scratch);
    from = isFew ? codes : x;
    step = isFew ? codedBytes(inputs) : step;
  }
  begin(HELD_LINEAR);
  put(<usize>type);
  put(held);
  put(<usize>outputs);
  put(<usize>inputs);
  put(from);
  put(step);
  put(<usize>m);
  put(<usize>isFew);
  put(bias);
  put(y);
  put(<usize>activation);
  put(residual);
  put(activated);
  put(scratch);
  launch(partsFor((READ + 2.0 * <f64>m) * <f64>outputs * <f64>inputs));
}

/** A part is some of the panels. */
export function heldLinearPart(part: i32, parts: i32, thread: i32): void {
  const type = <i32>argument(0);
  const held = argument(1);
  const outputs = <i32>argument(2);
  const inputs = <i32>argument(3);
  const x = argument(4);
  const m = <i32>argument(6);
  const y = argument(9);
  const scratch = argument(13) + <usize>thread * THREAD_SCRATCH;
  const from = first(panels(outputs), part, parts);
  const to = first(panels(outputs), part + 1, parts);
  if (argument(7)) fewRows(type, held, outputs, inputs, x, argument(5), m, y, from, to, scratch);
  else heldBlocks(type, held, outputs, inputs, x, m, y, from, to, scratch);
  const firstColumn = from * PANEL;
  const lastColumn = min(to * PANEL, outputs);
  addBias(y, argument(8), m, outputs, firstColumn, lastColumn);
  finishColumns(y, m, outputs, firstColumn, lastColumn, <i32>argument(10), argument(11), argument(12));
}

/** `dx = dy · H` for dy of [m][outputs]. @param scratch `heldScratch` bytes */
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
  begin(HELD_GRADIENT);
  put(<usize>type);
  put(held);
  put(<usize>outputs);
  put(<usize>inputs);
  put(dy);
  put(<usize>m);
  put(dx);
  put(scratch);
  launch(partsFor((READ + 2.0 * <f64>m) * <f64>outputs * <f64>inputs));
}

/** A part is some groups of inputs. */
export function heldGradientPart(part: i32, parts: i32, thread: i32): void {
  const inputs = <i32>argument(3);
  heldGradientBlocks(
    <i32>argument(0),
    argument(1),
    <i32>argument(2),
    inputs,
    argument(4),
    <i32>argument(5),
    argument(6),
    first(inputs, part, parts, GROUP),
    first(inputs, part + 1, parts, GROUP),
    argument(7) + <usize>thread * THREAD_SCRATCH,
  );
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
