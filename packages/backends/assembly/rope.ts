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
  for (let i = 0; i < pairs; i += 4) {
    const at = (<usize>i) << 2;
    const count = pairs - i;
    const a = loadSome(x + at, count);
    const b = loadSome(x + half + at, count);
    const c = loadSome(cos + at, count);
    const s = f32x4.mul(loadSome(sin + at, count), sign);
    storeSome(out + at, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)), count);
    storeSome(out + half + at, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)), count);
  }
}

/** The pairs (2i, 2i + 1) of one head; `sign` turns the sine of the first of each pair. */
function turnNeighbours(x: usize, cos: usize, sin: usize, sign: v128, pairs: i32, out: usize): void {
  for (let i = 0; i < pairs; i += 2) {
    const at = (<usize>i) << 2;
    const count = 2 * (pairs - i);
    const cosines = loadSome(cos + at, pairs - i);
    const sines = loadSome(sin + at, pairs - i);
    const c = v128.shuffle<f32>(cosines, cosines, 0, 0, 1, 1);
    const s = f32x4.mul(v128.shuffle<f32>(sines, sines, 0, 0, 1, 1), sign);
    const pair = loadSome(x + 2 * at, count);
    const swapped = v128.shuffle<f32>(pair, pair, 1, 0, 3, 2);
    storeSome(out + 2 * at, f32x4.add(f32x4.mul(pair, c), f32x4.mul(swapped, s)), count);
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
  const turned = f32x4.replace_lane(f32x4.replace_lane(same, 0, -direction), 2, -direction);
  const head = (<usize>headSize) << 2;
  const turning = (<usize>pairs) << 3;
  let at = (<usize>from * <usize>(heads * headSize)) << 2;
  for (let r = from; r < to; r++) {
    const table = (<usize>(r % tableRows) * <usize>pairs) << 2;
    for (let h = 0; h < heads; h++) {
      if (interleaved) turnNeighbours(x + at, cos + table, sin + table, turned, pairs, out + at);
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
