/**
 * Matrix products by packed panels and blocks that fit the caches (Goto & van de Geijn, "Anatomy of high-performance
 * matrix multiplication", 2008). A transposed side only changes how it is packed.
 */
import { constants, ZEROS } from './constants';
import { packColumns, packRows } from './pack';
import { COLUMNS, copyBlock, ROWS, tile } from './tiles';

/** Rows, columns and inner size of the blocks that are packed at a time. */
const BLOCK_ROWS: i32 = 48;
const BLOCK_COLUMNS: i32 = 1024;
const BLOCK_INNER: i32 = 512;
export const TILE_BYTES: usize = 192;
/** Up to so many rows, packing a right side costs more than it brings. */
const FEW_ROWS: i32 = 12;

function roundUp(n: i32, unit: i32): i32 {
  return ((n + unit - 1) / unit) * unit;
}

/** Inner size of each of the equal parts that a product of inner size k is computed in. */
function innerBlock(k: i32): i32 {
  const parts = max((k + BLOCK_INNER - 1) / BLOCK_INNER, 1);
  // At least one, for loops that go by it.
  return max((k + parts - 1) / parts, 1);
}

function packedRowsBytes(m: i32, k: i32): usize {
  return (<usize>(roundUp(min(m, BLOCK_ROWS), ROWS) * innerBlock(k))) << 2;
}

/** Bytes of scratch memory that `matmul` needs for a product [m, k] · [k, n]. */
export function matmulScratch(m: i32, n: i32, k: i32): usize {
  const columns = roundUp(min(n, BLOCK_COLUMNS), COLUMNS);
  return TILE_BYTES + packedRowsBytes(m, k) + ((<usize>(columns * innerBlock(k))) << 2);
}

/**
 * The block of `c` at one packed block of the left side and one of the right: every tile of it.
 *
 * @param start what is added: rows of `c` itself, or one row (`startStep` 0)
 * @param startColumn bytes from a column of `start` to the next: 4, or 0 for zeros
 */
export function multiplyBlock(
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

function multiply(
  a: usize,
  aRow: usize,
  aInner: usize,
  b: usize,
  bColumn: usize,
  bInner: usize,
  bias: usize,
  c: usize,
  m: i32,
  n: i32,
  k: i32,
  scratch: usize,
): void {
  const inner = innerBlock(k);
  const packedA = scratch + TILE_BYTES;
  const packedB = packedA + packedRowsBytes(m, k);
  const cStep = (<usize>n) << 2;
  // At least once, for the bias or the zeros of an empty inner size.
  for (let p = 0; p === 0 || p < k; p += inner) {
    const depth = min(inner, k - p);
    for (let j = 0; j < n; j += BLOCK_COLUMNS) {
      const columns = min(BLOCK_COLUMNS, n - j);
      const right = b + <usize>p * bInner + <usize>j * bColumn;
      const inPlace = m <= FEW_ROWS && bColumn === 4 ? columns & ~7 : 0;
      packColumns(packedB, right + ((<usize>inPlace) << 2), bColumn, bInner, columns - inPlace, depth);
      for (let i = 0; i < m; i += BLOCK_ROWS) {
        const rows = min(BLOCK_ROWS, m - i);
        packRows(packedA, a + <usize>i * aRow + <usize>p * aInner, aRow, aInner, rows, depth);
        let to = c + <usize>i * cStep + ((<usize>j) << 2);
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
            32,
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
      }
    }
  }
}

/**
 * `c[i] = a[i] · b[i] + bias` for `batch` matrices [m, k] and [k, n], all contiguous.
 *
 * @param aBatch bytes from a matrix of `a` to the next; 0 uses one for all
 * @param transposeA whether `a` lies as [k, m]; likewise `b` as [n, k]
 * @param bias n floats, or 0
 */
export function matmul(
  a: usize,
  aBatch: usize,
  transposeA: bool,
  b: usize,
  bBatch: usize,
  transposeB: bool,
  bias: usize,
  c: usize,
  batch: i32,
  m: i32,
  n: i32,
  k: i32,
  scratch: usize,
): void {
  const aRow: usize = transposeA ? 4 : (<usize>k) << 2;
  const aInner: usize = transposeA ? (<usize>m) << 2 : 4;
  const bColumn: usize = transposeB ? (<usize>k) << 2 : 4;
  const bInner: usize = transposeB ? 4 : (<usize>n) << 2;
  for (let i = 0; i < batch; i++) {
    multiply(a, aRow, aInner, b, bColumn, bInner, bias, c, m, n, k, scratch);
    a += aBatch;
    b += bBatch;
    c += (<usize>(m * n)) << 2;
  }
}
