/** Weights as they come from a checkpoint, piece by piece: widened to float32, turned, or put into panels of halves. */
import { BFLOAT16, PANEL } from './held-format';
import { transposeFour } from './pack';

/** What a piece may be of, beside the 16-bit types of held weights. */
const FLOAT32: i32 = -1;

/** Columns that are turned in one go: a line of the cache of each row is read once. */
const STRIP: i32 = 16;

/** The 16-bit codes of four lanes as float32; of an infinity or NaN the fraction stays as it is. */
function widenCodes(type: i32, codes: v128): v128 {
  if (type === BFLOAT16) return i32x4.shl(codes, 16);
  const sign = i32x4.shl(v128.and(codes, i32x4.splat(0x8000)), 16);
  const bits = v128.or(sign, i32x4.shl(v128.and(codes, i32x4.splat(0x7fff)), 13));
  const exponent = i32x4.splat(0x7c00);
  const isSpecial = i32x4.eq(v128.and(codes, exponent), exponent);
  // The bits of 2^112, the difference of the exponents' biases; subnormal values become normal.
  const finite = f32x4.mul(bits, i32x4.splat(0x77800000));
  return v128.bitselect(v128.or(bits, i32x4.splat(0x7f800000)), finite, isSpecial);
}

/** Four neighbours as float32. */
function loadFour(type: i32, from: usize): v128 {
  if (type === FLOAT32) return v128.load(from);
  return widenCodes(type, v128.load_ext<u16>(from));
}

function widenOne(type: i32, from: usize, to: usize): void {
  if (type === FLOAT32) store<u32>(to, load<u32>(from));
  else v128.store_lane<u32>(to, widenCodes(type, i32x4.splat(load<u16>(from))), 0);
}

/** `count` numbers of a type as float32. */
export function widenWeights(type: i32, from: usize, count: i32, to: usize): void {
  if (type === FLOAT32) {
    memory.copy(to, from, (<usize>count) << 2);
    return;
  }
  for (; count >= 4; count -= 4) {
    v128.store(to, loadFour(type, from));
    from += 8;
    to += 16;
  }
  for (; count > 0; count--) {
    widenOne(type, from, to);
    from += 2;
    to += 4;
  }
}

/** Four columns of four rows each; `row` and `step` are the bytes of a row of either side. */
function turnFour(type: i32, from: usize, row: usize, to: usize, step: usize): void {
  const r0 = loadFour(type, from);
  const r1 = loadFour(type, from + row);
  const r2 = loadFour(type, from + 2 * row);
  const r3 = loadFour(type, from + 3 * row);
  transposeFour(to, step, r0, r1, r2, r3);
}

/** Turns one number after the other: the edges. */
function turnEdge(type: i32, from: usize, rows: i32, row: usize, columns: i32, to: usize, step: usize): void {
  const size: usize = type === FLOAT32 ? 4 : 2;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) widenOne(type, from + <usize>c * size, to + <usize>c * step);
    from += row;
    to += 4;
  }
}

/**
 * Rows of a type become columns of float32.
 *
 * @param to where the first column begins
 * @param step bytes from a row there to the next
 */
export function turnWeights(type: i32, from: usize, rows: i32, width: i32, to: usize, step: usize): void {
  const shift: usize = type === FLOAT32 ? 2 : 1;
  const row = (<usize>width) << shift;
  const whole = rows & ~3;
  const wide = width & ~3;
  for (let left = 0; left < wide; left += STRIP) {
    const right = min(left + STRIP, wide);
    for (let r = 0; r < whole; r += 4) {
      const at = from + <usize>r * row;
      const column = to + ((<usize>r) << 2);
      for (let c = left; c < right; c += 4) {
        turnFour(type, at + ((<usize>c) << shift), row, column + <usize>c * step, step);
      }
    }
  }
  turnEdge(type, from + ((<usize>wide) << shift), whole, row, width - wide, to + <usize>wide * step, step);
  turnEdge(type, from + <usize>whole * row, rows - whole, row, width, to + ((<usize>whole) << 2), step);
}

/** Low and high halves of words: outputs i and 4 + i, of the first four inputs. */
function wordsLow(low: v128, high: v128): v128 {
  return v128.shuffle<i16>(low, high, 0, 8, 1, 9, 2, 10, 3, 11);
}

/** The same of the other four. */
function wordsHigh(low: v128, high: v128): v128 {
  return v128.shuffle<i16>(low, high, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** One output, whose place is its column of halves in the panel. */
function packOutput(from: usize, inputs: i32, to: usize): void {
  for (let i = 0; i < inputs; i++) {
    store<u16>(to, load<u16>(from));
    from += 2;
    to += 16;
  }
}

function columnOf(place: i32): i32 {
  return place < 4 ? 2 * place : 2 * place - 7;
}

/** A whole panel: eight outputs, `inputs` halves each. */
function packPanel(from: usize, inputs: i32, panel: usize): void {
  const row = (<usize>inputs) << 1;
  const whole = inputs & ~7;
  const high = row << 2;
  for (let i = 0; i < whole; i += 8) {
    const at = from + ((<usize>i) << 1);
    const to = panel + ((<usize>i) << 4);
    const a0 = v128.load(at);
    const a1 = v128.load(at + row);
    const a2 = v128.load(at + 2 * row);
    const a3 = v128.load(at + 3 * row);
    const b0 = v128.load(at + high);
    const b1 = v128.load(at + high + row);
    const b2 = v128.load(at + high + 2 * row);
    const b3 = v128.load(at + high + 3 * row);
    transposeFour(to, 16, wordsLow(a0, b0), wordsLow(a1, b1), wordsLow(a2, b2), wordsLow(a3, b3));
    transposeFour(to + 64, 16, wordsHigh(a0, b0), wordsHigh(a1, b1), wordsHigh(a2, b2), wordsHigh(a3, b3));
  }
  for (let place = 0; place < PANEL; place++) {
    const at = from + <usize>place * row + ((<usize>whole) << 1);
    packOutput(at, inputs - whole, panel + ((<usize>whole) << 4) + ((<usize>columnOf(place)) << 1));
  }
}

/** Outputs `first` to `first + outputs`, of `inputs` 16-bit codes each, into the panels at `held`. */
export function packHalves(from: usize, first: i32, outputs: i32, inputs: i32, held: usize): void {
  const row = (<usize>inputs) << 1;
  for (let o = 0; o < outputs; ) {
    const place = (first + o) % PANEL;
    const panel = held + <usize>(first + o - place) * row;
    if (place === 0 && o + PANEL <= outputs) {
      packPanel(from + <usize>o * row, inputs, panel);
      o += PANEL;
    } else {
      packOutput(from + <usize>o * row, inputs, panel + ((<usize>columnOf(place)) << 1));
      o++;
    }
  }
}
