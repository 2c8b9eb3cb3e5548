/**
 * Rotary position embedding (Su et al., arXiv:2104.09864): each pair of dimensions (a, b) of each head becomes
 * (a·cos − b·sin, b·cos + a·sin).
 */
import { ROPE } from './jobs';
import { argument, begin, first, launch, partsFor, put } from './threads';
import { loadSome, storeSome } from './vector';

/** Work for each float. */
const COST: f64 = 8;

/** The pairs (i, i + pairs) of one head. */
function turnHalves(x: usize, cos: usize, sin: usize, sign: v128, pairs: i32, out: usize): void {
  const half = (<usize>pairs) << 2;
  const rest = pairs & 3;
  const whole = (<usize>(pairs - rest)) << 2;
  for (let at: usize = 0; at < whole; at += 16) {
    const a = v128.load(x + at);
    const b = v128.load(x + half + at);
    const c = v128.load(cos + at);
    const s = f32x4.mul(v128.load(sin + at), sign);
    v128.store(out + at, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
    v128.store(out + half + at, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)));
  }
  if (rest > 0) {
    const a = loadSome(x + whole, rest);
    const b = loadSome(x + half + whole, rest);
    const c = loadSome(cos + whole, rest);
    const s = f32x4.mul(loadSome(sin + whole, rest), sign);
    storeSome(out + whole, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)), rest);
    storeSome(out + half + whole, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)), rest);
  }
}

/** Two pairs side by side, for their two cosines and sines. */
function turned(x: v128, cos: v128, sin: v128, sign: v128): v128 {
  const c = v128.shuffle<f32>(cos, cos, 0, 0, 1, 1);
  const s = f32x4.mul(v128.shuffle<f32>(sin, sin, 0, 0, 1, 1), sign);
  return f32x4.add(f32x4.mul(x, c), f32x4.mul(v128.shuffle<f32>(x, x, 1, 0, 3, 2), s));
}

/** The pairs (2i, 2i + 1) of one head; `sign` turns the sine of the first of each pair. */
function turnNeighbours(x: usize, cos: usize, sin: usize, sign: v128, pairs: i32, out: usize): void {
  const whole = (<usize>(pairs & ~1)) << 2;
  for (let at: usize = 0; at < whole; at += 8) {
    const two = v128.load(x + 2 * at);
    v128.store(out + 2 * at, turned(two, v128.load64_zero(cos + at), v128.load64_zero(sin + at), sign));
  }
  if (pairs & 1) {
    const c = v128.load32_zero(cos + whole);
    const one = turned(v128.load64_zero(x + 2 * whole), c, v128.load32_zero(sin + whole), sign);
    v128.store64_lane(out + 2 * whole, one, 0);
  }
}

function ropeRows(
  x: usize,
  cos: usize,
  sin: usize,
  tableRows: i32,
  heads: i32,
  headSize: i32,
  pairs: i32,
  interleaved: bool,
  inverse: bool,
  out: usize,
  from: i32,
  to: i32,
): void {
  const direction: f32 = inverse ? -1 : 1;
  const same = f32x4.splat(direction);
  const alternating = f32x4.replace_lane(f32x4.replace_lane(same, 0, -direction), 2, -direction);
  const head = (<usize>headSize) << 2;
  const turning = (<usize>pairs) << 3;
  let at = (<usize>from * <usize>(heads * headSize)) << 2;
  for (let r = from; r < to; r++) {
    const table = (<usize>(r % tableRows) * <usize>pairs) << 2;
    for (let h = 0; h < heads; h++) {
      if (interleaved) turnNeighbours(x + at, cos + table, sin + table, alternating, pairs, out + at);
      else turnHalves(x + at, cos + table, sin + table, same, pairs, out + at);
      if (turning < head) memory.copy(out + at + turning, x + at + turning, head - turning);
      at += head;
    }
  }
}

/**
 * Turns all heads of all rows, the other way if `inverse`.
 *
 * @param x float32[rows, heads · headSize]
 * @param cos float32[tableRows, pairs], and sin: the table begins again where it ends
 */
export function rope(
  x: usize,
  cos: usize,
  sin: usize,
  rows: i32,
  tableRows: i32,
  heads: i32,
  headSize: i32,
  pairs: i32,
  interleaved: bool,
  inverse: bool,
  out: usize,
): void {
  begin(ROPE);
  put(x);
  put(cos);
  put(sin);
  put(<usize>rows);
  put(<usize>tableRows);
  put(<usize>heads);
  put(<usize>headSize);
  put(<usize>pairs);
  put(<usize>interleaved);
  put(<usize>inverse);
  put(out);
  launch(partsFor(COST * <f64>rows * <f64>(heads * headSize)));
}

export function ropePart(part: i32, parts: i32): void {
  const rows = <i32>argument(3);
  ropeRows(
    argument(0),
    argument(1),
    argument(2),
    <i32>argument(4),
    <i32>argument(5),
    <i32>argument(6),
    <i32>argument(7),
    argument(8) !== 0,
    argument(9) !== 0,
    argument(10),
    first(rows, part, parts),
    first(rows, part + 1, parts),
  );
}
