/**
 * Products of many rows with a held weight: a block of it at a time is widened into the packed right side of the matrix
 * kernels, as float32. Both directions: `x · Hᵀ`, and for the gradient `dy · H`.
 */
import { constants, ZEROS } from './constants';
import { GROUP, PANEL, panelBytes, roundUp } from './held-format';
import { widenPanel } from './held-widen';
import { multiplyBlock, TILE_BYTES } from './matmul';
import { packColumns, packRows } from './pack';

/** Rows, columns and inner size of the blocks, each about the second cache's at most. */
const BLOCK_ROWS: i32 = 48;
const BLOCK_COLUMNS: i32 = 256;
const BLOCK_INNER: i32 = 512;
/** A widened group may write so many bytes too many. */
const SLACK: usize = 1024;

const PACKED_ROWS_BYTES: usize = (<usize>BLOCK_ROWS * BLOCK_INNER) << 2;
const PACKED_COLUMNS_BYTES: usize = ((<usize>BLOCK_COLUMNS * BLOCK_INNER) << 2) + SLACK;

/** Bytes of scratch memory for either product. */
export const BLOCKS_SCRATCH: usize =
  TILE_BYTES + PACKED_ROWS_BYTES + PACKED_COLUMNS_BYTES + ((<usize>BLOCK_COLUMNS) << 5) + SLACK;

/** The equal parts, of whole groups each, in which an inner size is computed. */
function innerBlock(k: i32): i32 {
  const parts = max((k + BLOCK_INNER - 1) / BLOCK_INNER, 1);
  return max(roundUp((k + parts - 1) / parts, GROUP), GROUP);
}

/** `c[m][columns] += a · packed`, or `=` in the first part of an inner size, for rows of `a` of `k` floats. */
function multiplyRows(
  a: usize,
  aStep: usize,
  m: i32,
  k: i32,
  packed: usize,
  panelStep: usize,
  columns: i32,
  isFirst: bool,
  c: usize,
  cStep: usize,
  scratch: usize,
): void {
  const packedRows = scratch + TILE_BYTES;
  for (let i = 0; i < m; i += BLOCK_ROWS) {
    const rows = min(BLOCK_ROWS, m - i);
    packRows(packedRows, a + <usize>i * aStep, aStep, 4, rows, k);
    const to = c + <usize>i * cStep;
    const start = isFirst ? constants() + ZEROS : to;
    const startStep: usize = isFirst ? 0 : cStep;
    const startColumn: usize = isFirst ? 0 : 4;
    multiplyBlock(
      packedRows,
      packed,
      panelStep,
      32,
      rows,
      columns,
      k,
      start,
      startStep,
      startColumn,
      to,
      cStep,
      scratch,
    );
  }
}

/** `y[m][outputs] = x[m][inputs] · Hᵀ`, for the outputs of the panels `from` to `to`. */
export function heldBlocks(
  type: i32,
  held: usize,
  outputs: i32,
  inputs: i32,
  x: usize,
  m: i32,
  y: usize,
  from: i32,
  to: i32,
  scratch: usize,
): void {
  const packed = scratch + TILE_BYTES + PACKED_ROWS_BYTES;
  const inner = innerBlock(inputs);
  const bytes = panelBytes(type, inputs);
  const blockPanels = BLOCK_COLUMNS / PANEL;
  for (let p = 0; p === 0 || p < inputs; p += inner) {
    const depth = min(inner, inputs - p);
    const panelStep = (<usize>depth) << 5;
    for (let j = from; j < to; j += blockPanels) {
      const panels = min(blockPanels, to - j);
      for (let i = 0; i < panels; i++) {
        widenPanel(type, held + <usize>(j + i) * bytes, p, depth, packed + <usize>i * panelStep);
      }
      const columns = min(panels * PANEL, outputs - j * PANEL);
      const at = y + ((<usize>(j * PANEL)) << 2);
      multiplyRows(
        x + ((<usize>p) << 2),
        (<usize>inputs) << 2,
        m,
        depth,
        packed,
        panelStep,
        columns,
        p === 0,
        at,
        (<usize>outputs) << 2,
        scratch,
      );
    }
  }
}

/** Eight outputs of the inputs `first` to `first + columns`, turned into rows of a packed right side. */
function widenTurned(
  type: i32,
  panel: usize,
  first: i32,
  columns: i32,
  to: usize,
  panelStep: usize,
  scratch: usize,
): void {
  widenPanel(type, panel, first, columns, scratch);
  for (let c = 0; c < columns; c += PANEL) {
    packColumns(to, scratch, 32, 4, min(PANEL, columns - c), PANEL);
    to += panelStep;
    scratch += 256;
  }
}

/** `dx[m][inputs] = dy[m][outputs] · H`, for the inputs `from` to `to`; `from` begins a group. */
export function heldGradientBlocks(
  type: i32,
  held: usize,
  outputs: i32,
  inputs: i32,
  dy: usize,
  m: i32,
  dx: usize,
  from: i32,
  to: i32,
  scratch: usize,
): void {
  const packed = scratch + TILE_BYTES + PACKED_ROWS_BYTES;
  const widened = packed + PACKED_COLUMNS_BYTES;
  const inner = innerBlock(outputs);
  const bytes = panelBytes(type, inputs);
  const xStep = (<usize>inputs) << 2;
  for (let p = 0; p === 0 || p < outputs; p += inner) {
    const depth = min(inner, outputs - p);
    const panelStep = (<usize>roundUp(depth, PANEL)) << 5;
    for (let j = from; j < to; j += BLOCK_COLUMNS) {
      const columns = min(BLOCK_COLUMNS, to - j);
      for (let i = 0; i < depth; i += PANEL) {
        const panel = held + <usize>((p + i) / PANEL) * bytes;
        widenTurned(type, panel, j, columns, packed + ((<usize>i) << 5), panelStep, widened);
      }
      const at = dx + ((<usize>j) << 2);
      multiplyRows(
        dy + ((<usize>p) << 2),
        (<usize>outputs) << 2,
        m,
        depth,
        packed,
        panelStep,
        columns,
        p === 0,
        at,
        xStep,
        scratch,
      );
    }
  }
}
