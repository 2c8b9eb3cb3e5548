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
