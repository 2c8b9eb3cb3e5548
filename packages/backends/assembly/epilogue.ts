/** What is done to a block of a product while it is in the cache. */
import { activation as activationOf } from './activations';

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
    finishRow(c, activation, residual, out, columns);
    c += step;
    out += step;
    if (residual) residual += step;
  }
}

function finishRow(c: usize, activation: i32, residual: usize, out: usize, columns: i32): void {
  const whole = (<usize>(columns & ~3)) << 2;
  const end = (<usize>columns) << 2;
  for (let i: usize = 0; i < whole; i += 16) {
    let value = v128.load(c + i);
    if (activation >= 0) value = activationOf(activation, value);
    if (residual) value = f32x4.add(value, v128.load(residual + i));
    v128.store(out + i, value);
  }
  for (let i = whole; i < end; i += 4) {
    let value = v128.load_splat<f32>(c + i);
    if (activation >= 0) value = activationOf(activation, value);
    if (residual) value = f32x4.add(value, v128.load_splat<f32>(residual + i));
    v128.store_lane<f32>(out + i, value, 0);
  }
}
