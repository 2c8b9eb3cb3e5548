import { GAIN_GRADIENT } from './jobs';
import { argument, begin, first, launch, partsFor, put } from './threads';
import { loadSome, storeSome } from './vector';

/** Work for each float. */
const COST: f64 = 8;

function plusTerm(sum: v128, dy: v128, x: v128, mean: v128, inverse: v128): v128 {
  return f32x4.add(sum, f32x4.mul(dy, f32x4.mul(f32x4.sub(x, mean), inverse)));
}

/** Columns `from` to `to` of `dGain = Σ over rows of dy · (x − mean) / σ`; without `means` they are zero. */
function gainGradientColumns(
  dy: usize,
  x: usize,
  means: usize,
  inverses: usize,
  rows: i32,
  width: i32,
  dGain: usize,
  from: i32,
  to: i32,
): void {
  const begins = (<usize>from) << 2;
  const rest = (to - from) & 3;
  const whole = (<usize>(to - rest)) << 2;
  memory.fill(dGain + begins, 0, (<usize>(to - from)) << 2);
  const step = (<usize>width) << 2;
  for (let r = 0; r < rows; r++) {
    const mean = means ? v128.load_splat<f32>(means + ((<usize>r) << 2)) : f32x4.splat(0);
    const inverse = v128.load_splat<f32>(inverses + ((<usize>r) << 2));
    for (let at = begins; at < whole; at += 16) {
      const sum = plusTerm(v128.load(dGain + at), v128.load(dy + at), v128.load(x + at), mean, inverse);
      v128.store(dGain + at, sum);
    }
    if (rest > 0) {
      const before = loadSome(dGain + whole, rest);
      const sum = plusTerm(before, loadSome(dy + whole, rest), loadSome(x + whole, rest), mean, inverse);
      storeSome(dGain + whole, sum, rest);
    }
    dy += step;
    x += step;
  }
}

/** The gradient of the gain of a normalisation, from the mean and 1 / σ of every row; `means` may be 0. */
export function gainGradient(
  dy: usize,
  x: usize,
  means: usize,
  inverses: usize,
  rows: i32,
  width: i32,
  dGain: usize,
): void {
  begin(GAIN_GRADIENT);
  put(dy);
  put(x);
  put(means);
  put(inverses);
  put(<usize>rows);
  put(<usize>width);
  put(dGain);
  launch(partsFor(COST * <f64>rows * <f64>width));
}

export function gainGradientPart(part: i32, parts: i32): void {
  const width = <i32>argument(5);
  gainGradientColumns(
    argument(0),
    argument(1),
    argument(2),
    argument(3),
    <i32>argument(4),
    width,
    argument(6),
    first(width, part, parts, 16),
    first(width, part + 1, parts, 16),
  );
}
