/** What is done to a block of a product while it is in the cache. */
import { activateRange } from './activate';
import { addTo } from './vector';

/** `out = activation(c) + residual` for rows `step` bytes apart; `activation` −1 leaves values as they are. */
export function finishBlock(
  c: usize,
  activation: i32,
  residual: usize,
  out: usize,
  step: usize,
  rows: i32,
  columns: i32,
): void {
  for (let r = 0; r < rows; r++) {
    if (activation >= 0 || out !== c) activateRange(activation, 0, c, 0, out, 0, 0, columns);
    if (residual) {
      addTo(out, residual, columns);
      residual += step;
    }
    c += step;
    out += step;
  }
}

/** The columns `from` to `to` of a result [m][n]: `out = activation(c) + residual`, if there is an `out`. */
export function finishColumns(
  c: usize,
  m: i32,
  n: i32,
  from: i32,
  to: i32,
  activation: i32,
  residual: usize,
  out: usize,
): void {
  if (!out) return;
  const at = (<usize>from) << 2;
  finishBlock(c + at, activation, residual ? residual + at : 0, out + at, (<usize>n) << 2, m, to - from);
}
