/**
 * Matrix products by packed panels and blocks that fit the caches (Goto & van de Geijn, "Anatomy of high-performance
 * matrix multiplication", 2008). A transposed side only changes how it is packed. Threads share the columns of the
 * result, or its rows where there are few columns, or the matrices of a batch.
 */

import { constants, ZEROS } from './constants';
import { finishBlock } from './epilogue';
import { MATMUL, PACK_RIGHT } from './jobs';
import { packColumns, packRows } from './pack';
import { argument, begin, first, launch, partsFor, put, threads } from './threads';
import { COLUMNS, copyBlock, ROWS, tile } from './tiles';

/** Rows, columns and inner size of the blocks that are packed at a time. */
const BLOCK_ROWS: i32 = 48;
/** Up to so many rows are one block, so that the right side passes through the cache once. */
const ONE_BLOCK_ROWS: i32 = 96;
const BLOCK_COLUMNS: i32 = 1024;
const BLOCK_INNER: i32 = 512;
const TILE_BYTES: usize = 192;
/** Up to so many rows, packing a right side costs more than it brings. */
const FEW_ROWS: i32 = 12;
/** Fewer columns than this for each thread are not worth packing the left side once more. */
const FEW_COLUMNS: i32 = 64;

function roundUp(n: i32, unit: i32): i32 {
  return ((n + unit - 1) / unit) * unit;
}

/** Inner size of each of the equal parts that a product of inner size k is computed in. */
function innerBlock(k: i32): i32 {
  const parts = max((k + BLOCK_INNER - 1) / BLOCK_INNER, 1);
  // At least one, for loops that go by it.
  return max((k + parts - 1) / parts, 1);
}

function rowBlock(m: i32): i32 {
  return m <= ONE_BLOCK_ROWS ? m : BLOCK_ROWS;
}

function packedRowsBytes(m: i32, k: i32): usize {
  return (<usize>(roundUp(min(m, ONE_BLOCK_ROWS), ROWS) * innerBlock(k))) << 2;
}

function threadScratch(m: i32, n: i32, k: i32): usize {
  const columns = roundUp(min(n, BLOCK_COLUMNS), COLUMNS);
  return (TILE_BYTES + packedRowsBytes(m, k) + ((<usize>(columns * innerBlock(k))) << 2) + 127) & ~127;
}

/** Bytes of scratch memory that `matmul` needs for products [m, k] · [k, n]. */
export function matmulScratch(m: i32, n: i32, k: i32): usize {
  return threadScratch(m, n, k) * <usize>threads();
}

/** Bytes of a right side [k, n] that is packed for good. */
export function packedBytes(n: i32, k: i32): usize {
  return (<usize>(roundUp(n, COLUMNS) * k)) << 2;
}

/** Packs a right side of float32[k, n], or transposed [n, k], as panels float32[⌈n / 8⌉, k, 8]. */
export function packRight(to: usize, b: usize, transpose: bool, n: i32, k: i32): void {
  begin(PACK_RIGHT);
  put(to);
  put(b);
  put(<usize>transpose);
  put(<usize>n);
  put(<usize>k);
  launch(partsFor(<f64>n * <f64>k));
}

export function packRightPart(part: i32, parts: i32): void {
  const isTransposed = argument(2) !== 0;
  const n = <i32>argument(3);
  const k = <i32>argument(4);
  const from = first(n, part, parts, COLUMNS);
  const columnStep: usize = isTransposed ? (<usize>k) << 2 : 4;
  const innerStep: usize = isTransposed ? 4 : (<usize>n) << 2;
  packColumns(
    argument(0) + ((<usize>from * <usize>k) << 2),
    argument(1) + <usize>from * columnStep,
    columnStep,
    innerStep,
    first(n, part + 1, parts, COLUMNS) - from,
    k,
  );
}

/** How the right side lies; `bColumn` is 0 for one that is packed already. */
function rightAt(b: usize, bColumn: usize, bInner: usize, column: i32, p: i32, k: i32): usize {
  if (bColumn === 0) return b + ((<usize>column * <usize>k + <usize>(p * COLUMNS)) << 2);
  return b + <usize>p * bInner + <usize>column * bColumn;
}

/**
 * The block of `c` at one packed block of the left side and one of the right: every tile of it.
 *
 * @param start what is added: rows of `c` itself, or one row (`startStep` 0)
 * @param startColumn bytes from a column of `start` to the next: 4, or 0 for zeros
 */
function multiplyBlock(
  a: usize,
  b: usize,
  panelStep: usize,
  bStep: usize,
  rows: i32,
  columns: i32,
  k: i32,
  start: usize,
  startStep: usize,
  startColumn: usize,
  c: usize,
  cStep: usize,
  scratch: usize,
): void {
  for (let j = 0; j < columns; j += COLUMNS) {
    const width = min(COLUMNS, columns - j);
    let panel = a;
    for (let i = 0; i < rows; i += ROWS) {
      const height = min(ROWS, rows - i);
      const to = c + <usize>i * cStep + ((<usize>j) << 2);
      const from = start + <usize>i * startStep + <usize>j * startColumn;
      if (height === ROWS && width === COLUMNS) {
        tile(panel, b, k, bStep, from, startStep, to, cStep);
      } else {
        copyBlock(scratch, 32, from, startStep, height, width);
        tile(panel, b, k, bStep, scratch, 32, scratch, 32);
        copyBlock(to, cStep, scratch, 32, height, width);
      }
      panel += <usize>(k * 24);
    }
    b += panelStep;
  }
}

/** The rows from `rowFrom` and columns from `columnFrom` of one product; the sides' strides are those of `matmul`. */
function multiply(
  a: usize,
  aRow: usize,
  aInner: usize,
  b: usize,
  bColumn: usize,
  bInner: usize,
  bias: usize,
  c: usize,
  cStep: usize,
  rowFrom: i32,
  rowTo: i32,
  columnFrom: i32,
  columnTo: i32,
  k: i32,
  activation: i32,
  residual: usize,
  activated: usize,
  scratch: usize,
): void {
  const inner = innerBlock(k);
  const m = rowTo - rowFrom;
  const blockRows = rowBlock(m);
  const packedA = scratch + TILE_BYTES;
  const packedB = packedA + packedRowsBytes(m, k);
  // At least once, for the bias or the zeros of an empty inner size.
  for (let p = 0; p === 0 || p < k; p += inner) {
    const depth = min(inner, k - p);
    const isLast = p + inner >= k;
    for (let j = columnFrom; j < columnTo; j += BLOCK_COLUMNS) {
      const columns = min(BLOCK_COLUMNS, columnTo - j);
      const right = rightAt(b, bColumn, bInner, j, p, k);
      const isPacked = bColumn === 0;
      const inPlace = isPacked ? columns : m <= FEW_ROWS && bColumn === 4 ? columns & ~7 : 0;
      packColumns(packedB, right + ((<usize>inPlace) << 2), bColumn, bInner, columns - inPlace, depth);
      for (let i = rowFrom; i < rowTo; i += blockRows) {
        const rows = min(blockRows, rowTo - i);
        packRows(packedA, a + <usize>i * aRow + <usize>p * aInner, aRow, aInner, rows, depth);
        const at = <usize>i * cStep + ((<usize>j) << 2);
        let to = c + at;
        let start = to;
        let startStep = cStep;
        let startColumn: usize = 4;
        if (p === 0) {
          startStep = 0;
          startColumn = bias ? 4 : 0;
          start = bias ? bias + ((<usize>j) << 2) : constants() + ZEROS;
        }
        if (inPlace > 0) {
          multiplyBlock(
            packedA,
            right,
            isPacked ? (<usize>k) << 5 : 32,
            bInner,
            rows,
            inPlace,
            depth,
            start,
            startStep,
            startColumn,
            to,
            cStep,
            scratch,
          );
          start += <usize>inPlace * startColumn;
          to += (<usize>inPlace) << 2;
        }
        multiplyBlock(
          packedA,
          packedB,
          (<usize>depth) << 5,
          32,
          rows,
          columns - inPlace,
          depth,
          start,
          startStep,
          startColumn,
          to,
          cStep,
          scratch,
        );
        if (isLast && activated)
          finishBlock(c + at, activation, residual ? residual + at : 0, activated + at, cStep, rows, columns);
      }
    }
  }
}

/**
 * `c[i] = a[i] · b[i] + bias` for `batch` matrices [m, k] and [k, n], all contiguous; then
 * `activated = activation(c) + residual` if it is asked for.
 *
 * @param aBatch bytes from a matrix of `a` to the next; 0 uses one for all
 * @param transposeA whether `a` lies as [k, m]
 * @param rightLayout how `b` lies: 0 as [k, n], 1 as [n, k], 2 as `packRight` packs it
 * @param bias n floats, or 0
 * @param activation its number, or −1
 * @param residual floats of the shape of c, or 0
 * @param activated where the last result goes, which may be c; or 0
 * @param scratch `matmulScratch` bytes
 */
export function matmul(
  a: usize,
  aBatch: usize,
  transposeA: bool,
  b: usize,
  bBatch: usize,
  rightLayout: i32,
  bias: usize,
  c: usize,
  batch: i32,
  m: i32,
  n: i32,
  k: i32,
  activation: i32,
  residual: usize,
  activated: usize,
  scratch: usize,
): void {
  begin(MATMUL);
  put(a);
  put(aBatch);
  put(<usize>transposeA);
  put(b);
  put(bBatch);
  put(<usize>rightLayout);
  put(bias);
  put(c);
  put(<usize>batch);
  put(<usize>m);
  put(<usize>n);
  put(<usize>k);
  put(<usize>activation);
  put(residual);
  put(activated);
  put(scratch);
  launch(partsFor(2.0 * <f64>batch * <f64>m * <f64>n * <f64>k));
}

export function matmulPart(part: i32, parts: i32, thread: i32): void {
  const batch = <i32>argument(8);
  const m = <i32>argument(9);
  const n = <i32>argument(10);
  const k = <i32>argument(11);
  const bytes = (<usize>(m * n)) << 2;
  const isTransposed = argument(2) !== 0;
  const layout = <i32>argument(5);
  const aRow: usize = isTransposed ? 4 : (<usize>k) << 2;
  const aInner: usize = isTransposed ? (<usize>m) << 2 : 4;
  const bColumn: usize = layout === 2 ? 0 : layout === 1 ? (<usize>k) << 2 : 4;
  const bInner: usize = layout === 2 ? 32 : layout === 1 ? 4 : (<usize>n) << 2;
  const bias = argument(6);
  const activation = <i32>argument(12);
  const residual = argument(13);
  const activated = argument(14);
  const scratch = argument(15) + <usize>thread * threadScratch(m, n, k);
  const byBatch = batch >= parts;
  const byColumns = !byBatch && n >= FEW_COLUMNS * parts;
  const byRows = !byBatch && !byColumns;
  const to = byBatch ? first(batch, part + 1, parts) : batch;
  const rowFrom = byRows ? first(m, part, parts, ROWS) : 0;
  const rowTo = byRows ? first(m, part + 1, parts, ROWS) : m;
  const columnFrom = byColumns ? first(n, part, parts, COLUMNS) : 0;
  const columnTo = byColumns ? first(n, part + 1, parts, COLUMNS) : n;
  for (let i = byBatch ? first(batch, part, parts) : 0; i < to; i++) {
    const at = <usize>i * bytes;
    multiply(
      argument(0) + <usize>i * argument(1),
      aRow,
      aInner,
      argument(3) + <usize>i * argument(4),
      bColumn,
      bInner,
      bias,
      argument(7) + at,
      (<usize>n) << 2,
      rowFrom,
      rowTo,
      columnFrom,
      columnTo,
      k,
      activation,
      residual ? residual + at : 0,
      activated ? activated + at : 0,
      scratch,
    );
  }
}
