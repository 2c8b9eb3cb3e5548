import { GAIN_GRADIENT } from './jobs';
import { argument, begin, first, launch, partsFor, put } from './threads';
import { loadSome, storeSome } from './vector';

/** Work for each float. */
const COST: f64 = 8;

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
  memory.fill(dGain + ((<usize>from) << 2), 0, (<usize>(to - from)) << 2);
  const step = (<usize>width) << 2;
  for (let r = 0; r < rows; r++) {
    const mean = means ? v128.load_splat<f32>(means + ((<usize>r) << 2)) : f32x4.splat(0);
    const inverse = v128.load_splat<f32>(inverses + ((<usize>r) << 2));
    for (let i = from; i < to; i += 4) {
      const at = (<usize>i) << 2;
      const count = to - i;
      const normal = f32x4.mul(f32x4.sub(loadSome(x + at, count), mean), inverse);
      const product = f32x4.mul(loadSome(dy + at, count), normal);
      storeSome(dGain + at, f32x4.add(loadSome(dGain + at, count), product), count);
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
