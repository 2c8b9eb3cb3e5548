/** Cross-entropy straight from logits of `width` classes; the probabilities exist only as the gradient is written. */
import { CROSS_ENTROPY, CROSS_ENTROPY_GRADIENT } from './jobs';
import { COST, expOf, logSumExpOf, weigh } from './log-sum-exp';
import { argument, begin, first, floatArgument, launch, partsFor, put, putFloat } from './threads';

function crossEntropyRows(
  logits: usize,
  targets: usize,
  weights: usize,
  width: i32,
  losses: usize,
  sums: usize,
  from: i32,
  to: i32,
): void {
  for (let r = from; r < to; r++) {
    const row = logits + ((<usize>r * <usize>width) << 2);
    const at = (<usize>r) << 2;
    const weight = load<f32>(weights + at);
    let loss: f32 = 0;
    let sum: f32 = 0;
    if (weight !== 0) {
      sum = logSumExpOf(row, width);
      loss = (sum - load<f32>(row + ((<usize>load<i32>(targets + at)) << 2))) * weight;
    }
    store<f32>(losses + at, loss);
    store<f32>(sums + at, sum);
  }
}

/**
 * `loss = Σ weight · (log Σ exp(logits) − logits[target])`, and the log Σ exp of each row. A row without weight is not
 * read, and its log Σ exp is zero.
 *
 * @param losses scratch memory, a float for each row
 */
export function crossEntropy(
  logits: usize,
  targets: usize,
  weights: usize,
  rows: i32,
  width: i32,
  losses: usize,
  sums: usize,
  loss: usize,
): void {
  begin(CROSS_ENTROPY);
  put(logits);
  put(targets);
  put(weights);
  put(<usize>rows);
  put(<usize>width);
  put(losses);
  put(sums);
  launch(partsFor(COST * <f64>rows * <f64>width));
  let total: f64 = 0;
  for (const end = losses + ((<usize>rows) << 2); losses < end; losses += 4) total += load<f32>(losses);
  store<f32>(loss, <f32>total);
}

export function crossEntropyPart(part: i32, parts: i32): void {
  const rows = <i32>argument(3);
  crossEntropyRows(
    argument(0),
    argument(1),
    argument(2),
    <i32>argument(4),
    argument(5),
    argument(6),
    first(rows, part, parts),
    first(rows, part + 1, parts),
  );
}

function crossEntropyGradientRows(
  logits: usize,
  targets: usize,
  weights: usize,
  sums: usize,
  dy: f32,
  width: i32,
  out: usize,
  from: i32,
  to: i32,
): void {
  for (let r = from; r < to; r++) {
    const row = (<usize>r * <usize>width) << 2;
    const at = (<usize>r) << 2;
    const weight = load<f32>(weights + at);
    if (weight === 0) {
      memory.fill(out + row, 0, (<usize>width) << 2);
      continue;
    }
    const sum = load<f32>(sums + at);
    const target = row + ((<usize>load<i32>(targets + at)) << 2);
    weigh(logits + row, width, sum, weight * dy, out + row);
    store<f32>(out + target, (expOf(load<f32>(logits + target) - sum) - 1) * (weight * dy));
  }
}

/** `(softmax(logits) − onehot(target)) · weight · dy`, zeros for a row without weight. */
export function crossEntropyGradient(
  logits: usize,
  targets: usize,
  weights: usize,
  sums: usize,
  dy: f32,
  rows: i32,
  width: i32,
  out: usize,
): void {
  begin(CROSS_ENTROPY_GRADIENT);
  put(logits);
  put(targets);
  put(weights);
  put(sums);
  putFloat(dy);
  put(<usize>rows);
  put(<usize>width);
  put(out);
  launch(partsFor(COST * <f64>rows * <f64>width));
}

export function crossEntropyGradientPart(part: i32, parts: i32): void {
  const rows = <i32>argument(5);
  crossEntropyGradientRows(
    argument(0),
    argument(1),
    argument(2),
    argument(3),
    floatArgument(4),
    <i32>argument(6),
    argument(7),
    first(rows, part, parts),
    first(rows, part + 1, parts),
  );
}
