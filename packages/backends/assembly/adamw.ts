import { ADAMW } from './jobs';
import { argument, begin, first, floatArgument, launch, partsFor, put, putFloat } from './threads';

/** Work for each float: what it takes to bring seven of them through the memory. */
const COST: f64 = 10;

/**
 * One step of AdamW (Loshchilov & Hutter, arXiv:1711.05101) for the floats from `from` up to `to`:
 * `m' = beta1·m + share1·g`, `v' = beta2·v + share2·g²`, `p' = decay·p − rate · m' / (√v' + eps)`. The new values may
 * go where the old ones lie.
 */
function adamwRange(
  parameter: usize,
  gradient: usize,
  m: usize,
  v: usize,
  beta1: f32,
  share1: f32,
  beta2: f32,
  share2: f32,
  eps: f32,
  rate: f32,
  decay: f32,
  newParameter: usize,
  newM: usize,
  newV: usize,
  from: i32,
  to: i32,
): void {
  const end = (<usize>to) << 2;
  const whole = (<usize>(from + ((to - from) & ~3))) << 2;
  let i = (<usize>from) << 2;
  for (; i < whole; i += 16) {
    const g = v128.load(gradient + i);
    const mean = f32x4.add(
      f32x4.mul(v128.load(m + i), f32x4.splat(beta1)),
      f32x4.mul(g, f32x4.splat(share1)),
    );
    const square = f32x4.add(
      f32x4.mul(v128.load(v + i), f32x4.splat(beta2)),
      f32x4.mul(f32x4.mul(g, g), f32x4.splat(share2)),
    );
    const move = f32x4.div(mean, f32x4.add(f32x4.sqrt(square), f32x4.splat(eps)));
    const decayed = f32x4.mul(v128.load(parameter + i), f32x4.splat(decay));
    v128.store(newParameter + i, f32x4.sub(decayed, f32x4.mul(move, f32x4.splat(rate))));
    v128.store(newM + i, mean);
    v128.store(newV + i, square);
  }
  for (; i < end; i += 4) {
    const g = load<f32>(gradient + i);
    const mean = load<f32>(m + i) * beta1 + g * share1;
    const square = load<f32>(v + i) * beta2 + g * g * share2;
    const move = mean / (sqrt<f32>(square) + eps);
    store<f32>(newParameter + i, load<f32>(parameter + i) * decay - move * rate);
    store<f32>(newM + i, mean);
    store<f32>(newV + i, square);
  }
}

/** The step for `n` floats. */
export function adamw(
  parameter: usize,
  gradient: usize,
  m: usize,
  v: usize,
  n: i32,
  beta1: f32,
  share1: f32,
  beta2: f32,
  share2: f32,
  eps: f32,
  rate: f32,
  decay: f32,
  newParameter: usize,
  newM: usize,
  newV: usize,
): void {
  begin(ADAMW);
  put(parameter);
  put(gradient);
  put(m);
  put(v);
  put(<usize>n);
  putFloat(beta1);
  putFloat(share1);
  putFloat(beta2);
  putFloat(share2);
  putFloat(eps);
  putFloat(rate);
  putFloat(decay);
  put(newParameter);
  put(newM);
  put(newV);
  launch(partsFor(COST * <f64>n));
}

export function adamwPart(part: i32, parts: i32): void {
  const n = <i32>argument(4);
  adamwRange(
    argument(0),
    argument(1),
    argument(2),
    argument(3),
    floatArgument(5),
    floatArgument(6),
    floatArgument(7),
    floatArgument(8),
    floatArgument(9),
    floatArgument(10),
    floatArgument(11),
    argument(12),
    argument(13),
    argument(14),
    first(n, part, parts, 16),
    first(n, part + 1, parts, 16),
  );
}
