import { SUM_OF_SQUARES } from './jobs';
import { argument, begin, first, launch, partsFor, put } from './threads';

/** Work for each float. */
const COST: f64 = 2;

/**
 * Floats that are summed up at a time. The sums of the blocks are added in order, so that the result does not depend
 * on how blocks are shared out.
 */
const BLOCK: i32 = 8192;

function blocksOf(n: i32): i32 {
  return (n + BLOCK - 1) / BLOCK;
}

/** Bytes of scratch memory that `sumOfSquares` needs for `n` floats: a float64 for each block. */
export function sumOfSquaresScratch(n: i32): usize {
  return (<usize>blocksOf(n)) << 3;
}

/** `Σ x²` over the floats from `at` up to `end` in float64. */
function sumOfBlock(at: usize, end: usize): f64 {
  const whole = at + ((end - at) & ~15);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (; at < whole; at += 16) {
    const four = v128.load(at);
    const first = f64x2.promote_low_f32x4(four);
    const second = f64x2.promote_low_f32x4(v128.shuffle<f32>(four, four, 2, 3, 2, 3));
    low = f64x2.add(low, f64x2.mul(first, first));
    high = f64x2.add(high, f64x2.mul(second, second));
  }
  const both = f64x2.add(low, high);
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
  for (; at < end; at += 4) {
    const x = <f64>load<f32>(at);
    sum += x * x;
  }
  return sum;
}

/** The sums of the blocks from `from` up to `to`, into their places in `sums`. */
function sumBlocks(x: usize, n: i32, sums: usize, from: i32, to: i32): void {
  const end = x + ((<usize>n) << 2);
  for (let block = from; block < to; block++) {
    const at = x + <usize>block * (BLOCK << 2);
    store<f64>(sums + ((<usize>block) << 3), sumOfBlock(at, min(at + (BLOCK << 2), end)));
  }
}

/** `Σ x²` of `n` floats, summed in float64 and rounded once, into the float at `out`. */
export function sumOfSquares(x: usize, n: i32, out: usize, scratch: usize): void {
  begin(SUM_OF_SQUARES);
  put(x);
  put(<usize>n);
  put(scratch);
  launch(partsFor(COST * <f64>n));
  const blocks = blocksOf(n);
  let sum: f64 = 0;
  for (let block = 0; block < blocks; block++) sum += load<f64>(scratch + ((<usize>block) << 3));
  store<f32>(out, <f32>sum);
}

export function sumOfSquaresPart(part: i32, parts: i32): void {
  const n = <i32>argument(1);
  const blocks = blocksOf(n);
  sumBlocks(argument(0), n, argument(2), first(blocks, part, parts), first(blocks, part + 1, parts));
}
