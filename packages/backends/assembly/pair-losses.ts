/** The losses of contrastive batches. Their matrices are small: a row for each sample, a column for each other one. */
import { sigmoid } from './activations';
import { exp, log } from './exponential';
import { logSumExpOf, weigh } from './log-sum-exp';
import { lanesSum, loadSome, storeSome } from './vector';

/** `scale · Σ probabilities · (log Σ exp(logits) − logits)`. */
export function softCrossEntropy(
  logits: usize,
  probabilities: usize,
  rows: i32,
  width: i32,
  scale: f32,
): f32 {
  let total: f64 = 0;
  for (let r = 0; r < rows; r++) {
    const sum = logSumExpOf(logits, width);
    for (let i = 0; i < width; i++) {
      total += load<f32>(probabilities) * (sum - load<f32>(logits));
      probabilities += 4;
      logits += 4;
    }
  }
  return <f32>total * scale;
}

/** `(softmax(logits) · Σ probabilities − probabilities) · scale`. */
export function softCrossEntropyGradient(
  logits: usize,
  probabilities: usize,
  rows: i32,
  width: i32,
  scale: f32,
  out: usize,
): void {
  const step = (<usize>width) << 2;
  for (let r = 0; r < rows; r++) {
    let total: f32 = 0;
    for (let at: usize = 0; at < step; at += 4) total += load<f32>(probabilities + at);
    weigh(logits, width, logSumExpOf(logits, width), total, out);
    for (let at: usize = 0; at < step; at += 4) {
      store<f32>(out + at, (load<f32>(out + at) - load<f32>(probabilities + at)) * scale);
    }
    logits += step;
    probabilities += step;
    out += step;
  }
}

/** log(1 + e) for e in [0, 1]: the quotient undoes the rounding of 1 + e (Kahan's), which leaves e where that is 1. */
function logOnePlus(e: v128): v128 {
  const one = f32x4.splat(1);
  const sum = f32x4.add(one, e);
  const rounded = f32x4.sub(sum, one);
  const value = f32x4.mul(log(sum), f32x4.div(e, rounded));
  return v128.bitselect(e, value, f32x4.eq(rounded, f32x4.splat(0)));
}

/** log(1 + exp(z)) without overflow. */
function softplus(z: v128): v128 {
  const tail = logOnePlus(exp(f32x4.neg(f32x4.abs(z))));
  return f32x4.add(f32x4.pmax(z, f32x4.splat(0)), tail);
}

/** `scale · Σ log(1 + exp(−label · logit))` of `n` pairs (Zhai et al., arXiv:2303.15343). */
export function sigmoidPairLoss(logits: usize, labels: usize, n: i32, scale: f32): f32 {
  const whole = (<usize>(n & ~3)) << 2;
  const end = (<usize>n) << 2;
  let sums = f32x4.splat(0);
  for (let at: usize = 0; at < whole; at += 16) {
    const agreement = f32x4.mul(v128.load(labels + at), v128.load(logits + at));
    sums = f32x4.add(sums, softplus(f32x4.neg(agreement)));
  }
  let total = lanesSum(sums);
  for (let at = whole; at < end; at += 4) {
    const agreement = load<f32>(labels + at) * load<f32>(logits + at);
    total += f32x4.extract_lane(softplus(f32x4.splat(-agreement)), 0);
  }
  return total * scale;
}

/** `−label · σ(−label · logit) · scale` for `n` pairs. */
export function sigmoidPairGradient(logits: usize, labels: usize, n: i32, scale: f32, out: usize): void {
  const scales = f32x4.splat(scale);
  for (let i = 0; i < n; i += 4) {
    const at = (<usize>i) << 2;
    const turned = f32x4.neg(loadSome(labels + at, n - i));
    const weight = sigmoid(f32x4.mul(turned, loadSome(logits + at, n - i)));
    storeSome(out + at, f32x4.mul(f32x4.mul(turned, weight), scales), n - i);
  }
}
