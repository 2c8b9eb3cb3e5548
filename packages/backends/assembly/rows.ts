/** Rows of `width` floats: taken by an index, added up by one, and summed over. */
import { COLUMN_SUMS, GATHER, SCATTER } from './jobs';
import { argument, begin, first, launch, partsFor, put } from './threads';
import { addTo } from './vector';

/** Work for each float that is moved. */
const COST: f64 = 4;

function gatherRange(x: usize, index: usize, width: i32, out: usize, from: i32, to: i32): void {
  const bytes = (<usize>width) << 2;
  for (let r = from; r < to; r++) {
    const row = load<i32>(index + ((<usize>r) << 2));
    const at = out + <usize>r * bytes;
    if (row < 0) memory.fill(at, 0, bytes);
    else memory.copy(at, x + <usize>row * bytes, bytes);
  }
}

/** `out[r] = x[index[r]]`, zeros for a negative index. */
export function gatherRows(x: usize, index: usize, rows: i32, width: i32, out: usize): void {
  begin(GATHER);
  put(x);
  put(index);
  put(<usize>rows);
  put(<usize>width);
  put(out);
  launch(partsFor(COST * <f64>rows * <f64>width));
}

export function gatherPart(part: i32, parts: i32): void {
  const rows = <i32>argument(2);
  const from = first(rows, part, parts);
  gatherRange(argument(0), argument(1), <i32>argument(3), argument(4), from, first(rows, part + 1, parts));
}

/**
 * Rows `from` to `to` of the sums. Parts are rows of the result and not columns: most of the work is to clear it, one
 * block each, and every part adds the rows that are its own in their order, so the sums are the same for any number.
 */
function scatterRange(dy: usize, index: usize, rows: i32, width: i32, out: usize, from: i32, to: i32): void {
  const bytes = (<usize>width) << 2;
  memory.fill(out + <usize>from * bytes, 0, <usize>(to - from) * bytes);
  for (let r = 0; r < rows; r++) {
    const row = load<i32>(index + ((<usize>r) << 2));
    if (row >= from && row < to) addTo(out + <usize>row * bytes, dy + <usize>r * bytes, width);
  }
}

/** `out[v] = Σ dy[r]` over the rows with `index[r] = v`, for `size` rows of the result. */
export function scatterRows(dy: usize, index: usize, rows: i32, width: i32, size: i32, out: usize): void {
  begin(SCATTER);
  put(dy);
  put(index);
  put(<usize>rows);
  put(<usize>width);
  put(<usize>size);
  put(out);
  launch(partsFor(COST * <f64>size * <f64>width));
}

export function scatterPart(part: i32, parts: i32): void {
  const size = <i32>argument(4);
  scatterRange(
    argument(0),
    argument(1),
    <i32>argument(2),
    <i32>argument(3),
    argument(5),
    first(size, part, parts),
    first(size, part + 1, parts),
  );
}

/** Columns `from` to `to` of the sums over rows, four rows at a time. */
function columnSumsRange(x: usize, rows: i32, width: i32, out: usize, from: i32, to: i32): void {
  const begins = (<usize>from) << 2;
  const end = (<usize>to) << 2;
  const whole = begins + ((end - begins) & ~15);
  memory.fill(out + begins, 0, end - begins);
  const step = (<usize>width) << 2;
  let r = 0;
  for (; r + 4 <= rows; r += 4) {
    const x1 = x + step;
    const x2 = x1 + step;
    const x3 = x2 + step;
    for (let at = begins; at < whole; at += 16) {
      const first = f32x4.add(v128.load(x + at), v128.load(x1 + at));
      const second = f32x4.add(v128.load(x2 + at), v128.load(x3 + at));
      v128.store(out + at, f32x4.add(v128.load(out + at), f32x4.add(first, second)));
    }
    for (let at = whole; at < end; at += 4) {
      const first = load<f32>(x + at) + load<f32>(x1 + at);
      const second = load<f32>(x2 + at) + load<f32>(x3 + at);
      store<f32>(out + at, load<f32>(out + at) + (first + second));
    }
    x = x3 + step;
  }
  for (; r < rows; r++) {
    addTo(out + begins, x + begins, to - from);
    x += step;
  }
}

/** `out = Σ over rows of x`. */
export function columnSums(x: usize, rows: i32, width: i32, out: usize): void {
  begin(COLUMN_SUMS);
  put(x);
  put(<usize>rows);
  put(<usize>width);
  put(out);
  launch(partsFor(COST * <f64>rows * <f64>width));
}

export function columnSumsPart(part: i32, parts: i32): void {
  const width = <i32>argument(2);
  const from = first(width, part, parts, 16);
  columnSumsRange(argument(0), <i32>argument(1), width, argument(3), from, first(width, part + 1, parts, 16));
}
