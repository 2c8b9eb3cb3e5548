/**
 * Attention of one head at a time, eight queries at a time: their scores against all keys form a strip [S][8] that
 * stays in the first cache, with the queries in the lanes, so that the softmax runs down the strip and the strip is a
 * packed side of the next product. Only the log of the sum of exponentials is kept for the gradient (Dao et al.,
 * arXiv:2205.14135).
 */

import { constants, ZEROS } from './constants';
import { exp, log } from './exponential';
import { packColumns, packRows } from './pack';
import { COLUMNS, copyBlock, queryTile, ROWS, stripTile, tile } from './tiles';

/** Stands for the log-sum-exp of a query that sees no key: every weight becomes zero. */
const BLIND: f32 = 3e38;

function panels(n: i32, width: i32): i32 {
  return (n + width - 1) / width;
}

/** Bytes of a side of n rows of `size` floats, packed in panels of `width` rows. */
function packedBytes(n: i32, size: i32, width: i32): usize {
  return (<usize>(panels(n, width) * width * size)) << 2;
}

/** Bytes of a strip; its last tile of keys may be incomplete. */
function stripBytes(keys: i32): usize {
  return (<usize>(panels(keys, ROWS) * ROWS)) << 5;
}

/** Bytes of scratch memory that `attention` needs. */
export function attentionScratch(keys: i32, headSize: i32): usize {
  const query = (<usize>headSize) << 5;
  return (
    512 + packedBytes(keys, headSize, ROWS) + packedBytes(headSize, keys, COLUMNS) + query + stripBytes(keys)
  );
}

/** Bytes of scratch memory that `attentionGradient` needs. */
export function attentionGradientScratch(keys: i32, headSize: i32): usize {
  const rows = packedBytes(headSize, COLUMNS, COLUMNS);
  const columns = (<usize>headSize) << 5;
  return (
    1024 +
    2 * packedBytes(keys, headSize, ROWS) +
    packedBytes(headSize, keys, COLUMNS) +
    2 * (rows + columns) +
    2 * stripBytes(keys)
  );
}

/** `strip[keys][8] = keys · queries` for keys packed by rows and one panel of queries. */
function scoreStrip(packedKeys: usize, query: usize, keys: i32, size: i32, strip: usize): void {
  const zeros = constants() + ZEROS;
  const step = <usize>(size * 24);
  for (let s = 0; s < keys; s += ROWS) {
    tile(packedKeys, query, size, 32, zeros, 0, strip, 32);
    packedKeys += step;
    strip += 192;
  }
}

/** A panel [size][8] of up to eight rows, times `scale`. */
function packQueries(to: usize, from: usize, step: usize, count: i32, size: i32, scale: f32): void {
  packColumns(to, from, step, 4, count, size);
  if (scale === 1) return;
  const factor = f32x4.splat(scale);
  const end = to + ((<usize>size) << 5);
  for (; to < end; to += 16) v128.store(to, f32x4.mul(v128.load(to), factor));
}

/** Adds the mask, [keys][maskStep bytes] with eight queries of it side by side. */
function addMask(strip: usize, keys: i32, mask: usize, maskStep: usize): void {
  const end = strip + ((<usize>keys) << 5);
  for (; strip < end; strip += 32) {
    v128.store(strip, f32x4.add(v128.load(strip), v128.load(mask)));
    v128.store(strip, f32x4.add(v128.load(strip, 16), v128.load(mask, 16)), 16);
    mask += maskStep;
  }
}

/**
 * Replaces scores by `exp(score − max)`; 1 / Σ goes to `inverse`, and max + ln Σ to `logSumExp`, eight floats each.
 * NaN passes: `pmax` leaves it out of the maximum, the exponential keeps it.
 */
function softmaxStrip(strip: usize, keys: i32, inverse: usize, logSumExp: usize): void {
  const end = strip + ((<usize>keys) << 5);
  let max0 = f32x4.splat(-Infinity);
  let max1 = max0;
  for (let at = strip; at < end; at += 32) {
    max0 = f32x4.pmax(max0, v128.load(at));
    max1 = f32x4.pmax(max1, v128.load(at, 16));
  }
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  for (let at = strip; at < end; at += 32) {
    const e0 = exp(f32x4.sub(v128.load(at), max0));
    const e1 = exp(f32x4.sub(v128.load(at, 16), max1));
    sum0 = f32x4.add(sum0, e0);
    sum1 = f32x4.add(sum1, e1);
    v128.store(at, e0);
    v128.store(at, e1, 16);
  }
  const one = f32x4.splat(1);
  v128.store(inverse, f32x4.div(one, sum0));
  v128.store(inverse, f32x4.div(one, sum1), 16);
  v128.store(logSumExp, f32x4.add(max0, log(sum0)));
  v128.store(logSumExp, f32x4.add(max1, log(sum1)), 16);
}

/** `to[count][size] = factors ∘ (stripᵀ · side)` for a side [keys][size] packed by columns. */
function weighRows(
  strip: usize,
  packed: usize,
  keys: i32,
  factors: usize,
  to: usize,
  toStep: usize,
  count: i32,
  size: i32,
  scratch: usize,
): void {
  for (let x = 0; x < size; x += 4) {
    const panel = packed + <usize>(x >> 3) * ((<usize>keys) << 5) + ((<usize>(x & 7)) << 2);
    const width = min(4, size - x);
    const at = to + ((<usize>x) << 2);
    if (count === COLUMNS && width === 4) {
      queryTile(strip, panel, keys, factors, at, toStep);
    } else {
      queryTile(strip, panel, keys, factors, scratch, 16);
      copyBlock(at, toStep, scratch, 16, count, width);
    }
  }
}

/** `to[keys][size] += strip · rows` for up to eight rows, packed by columns. */
function spreadRows(
  strip: usize,
  packed: usize,
  keys: i32,
  to: usize,
  toStep: usize,
  count: i32,
  size: i32,
  scratch: usize,
): void {
  for (let x = 0; x < size; x += COLUMNS) {
    const width = min(COLUMNS, size - x);
    let from = strip;
    for (let s = 0; s < keys; s += ROWS) {
      const height = min(ROWS, keys - s);
      const at = to + <usize>s * toStep + ((<usize>x) << 2);
      if (height === ROWS && width === COLUMNS) {
        stripTile(from, packed, count, at, toStep);
      } else {
        copyBlock(scratch, 32, at, toStep, height, width);
        stripTile(from, packed, count, scratch, 32);
        copyBlock(at, toStep, scratch, 32, height, width);
      }
      from += 192;
    }
    packed += (<usize>count) << 5;
  }
}

/** Eight factors: `seesAny` of up to eight queries times `by`. */
function maskedFactors(to: usize, seesAny: usize, by: usize, count: i32): void {
  for (let i: usize = 0; i < (<usize>count) << 2; i += 4) {
    store<f32>(to + i, load<f32>(by + i) * load<f32>(seesAny + i));
  }
}

/**
 * `out = softmax(scale · q·kᵀ + mask) · v` and the log-sum-exp of each row.
 *
 * @param q float32[batch, queries, heads · headSize]; `k` and `v` are [batch, keys, keyHeads · headSize]
 * @param mask float32[batch or 1, heads or 1, keys, maskColumns], the queries side by side, or 0
 * @param seesAny float32[batch or 1, heads or 1, maskColumns]: 0 for a query that sees no key, else 1; or 0
 * @param maskBatch matrices of the mask from a sample to the next, and `maskHead` from a head to the next
 * @param maskColumns queries, rounded up to a multiple of eight
 */
export function attention(
  q: usize,
  k: usize,
  v: usize,
  mask: usize,
  seesAny: usize,
  maskBatch: i32,
  maskHead: i32,
  maskColumns: i32,
  batch: i32,
  queries: i32,
  keys: i32,
  heads: i32,
  keyHeads: i32,
  headSize: i32,
  scale: f32,
  out: usize,
  logSumExp: usize,
  scratch: usize,
): void {
  const inverse = scratch;
  const logs = scratch + 32;
  const edge = scratch + 64;
  const packedKeys = scratch + 512;
  const packedValues = packedKeys + packedBytes(keys, headSize, ROWS);
  const query = packedValues + packedBytes(headSize, keys, COLUMNS);
  const strip = query + ((<usize>headSize) << 5);
  const queryStep = (<usize>(heads * headSize)) << 2;
  const keyStep = (<usize>(keyHeads * headSize)) << 2;
  const group = heads / keyHeads;
  const maskSize = (<usize>(keys * maskColumns)) << 2;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      if (h % group === 0) {
        const at = <usize>(b * keys) * keyStep + ((<usize>((h / group) * headSize)) << 2);
        packRows(packedKeys, k + at, keyStep, 4, keys, headSize);
        packColumns(packedValues, v + at, 4, keyStep, headSize, keys);
      }
      const plane = <usize>(b * maskBatch + h * maskHead);
      const at = <usize>(b * queries) * queryStep + ((<usize>(h * headSize)) << 2);
      for (let t = 0; t < queries; t += COLUMNS) {
        const count = min(COLUMNS, queries - t);
        const row = at + <usize>t * queryStep;
        packQueries(query, q + row, queryStep, count, headSize, scale);
        scoreStrip(packedKeys, query, keys, headSize, strip);
        if (mask) {
          addMask(strip, keys, mask + plane * maskSize + ((<usize>t) << 2), (<usize>maskColumns) << 2);
        }
        softmaxStrip(strip, keys, inverse, logs);
        if (seesAny) {
          const sees = seesAny + ((plane * <usize>maskColumns + <usize>t) << 2);
          maskedFactors(inverse, sees, inverse, count);
        }
        weighRows(strip, packedValues, keys, inverse, out + row, queryStep, count, headSize, edge);
        copyBlock(logSumExp + ((<usize>t) << 2), 0, logs, 0, 1, count);
      }
      logSumExp += (<usize>queries) << 2;
    }
  }
}

/** Eight log-sum-exps; where a query sees nothing, or is none, what makes all weights zero. */
function readLogs(to: usize, from: usize, seesAny: usize, count: i32): void {
  for (let i = 0; i < COLUMNS; i++) {
    const at = (<usize>i) << 2;
    const sees = i < count && (seesAny === 0 || load<f32>(seesAny + at) !== 0);
    store<f32>(to + at, sees ? load<f32>(from + at) : BLIND);
  }
}

/** `Σ dy ∘ out` of each of up to eight rows. */
function rowProducts(to: usize, dy: usize, out: usize, step: usize, count: i32, size: i32): void {
  for (let i = 0; i < COLUMNS; i++) {
    let sum: f32 = 0;
    if (i < count) {
      for (let x: usize = 0; x < (<usize>size) << 2; x += 4) sum += load<f32>(dy + x) * load<f32>(out + x);
      dy += step;
      out += step;
    }
    store<f32>(to + ((<usize>i) << 2), sum);
  }
}

/** Weights from scores, `exp(score − log-sum-exp)`, and `scale · weight · (dWeight − row product)` from dWeights. */
function gradientStrips(
  weights: usize,
  dWeights: usize,
  keys: i32,
  logs: usize,
  products: usize,
  scale: f32,
): void {
  const factor = f32x4.splat(scale);
  const log0 = v128.load(logs);
  const log1 = v128.load(logs, 16);
  const product0 = v128.load(products);
  const product1 = v128.load(products, 16);
  const end = weights + ((<usize>keys) << 5);
  for (; weights < end; weights += 32) {
    const p0 = exp(f32x4.sub(v128.load(weights), log0));
    const p1 = exp(f32x4.sub(v128.load(weights, 16), log1));
    const d0 = f32x4.sub(v128.load(dWeights), product0);
    const d1 = f32x4.sub(v128.load(dWeights, 16), product1);
    v128.store(weights, p0);
    v128.store(weights, p1, 16);
    v128.store(dWeights, f32x4.mul(f32x4.mul(p0, d0), factor));
    v128.store(dWeights, f32x4.mul(f32x4.mul(p1, d1), factor), 16);
    dWeights += 32;
  }
}

/**
 * The gradients of `attention`, recomputing the weights P: `dV = Pᵀ·dO`, `dS = P ∘ (dO·Vᵀ − Σ dO∘O)`,
 * `dQ = scale · dS·K`, `dK = scale · dSᵀ·Q`. `dk` and `dv` must be zeros.
 */
export function attentionGradient(
  q: usize,
  k: usize,
  v: usize,
  out: usize,
  logSumExp: usize,
  dy: usize,
  mask: usize,
  seesAny: usize,
  maskBatch: i32,
  maskHead: i32,
  maskColumns: i32,
  batch: i32,
  queries: i32,
  keys: i32,
  heads: i32,
  keyHeads: i32,
  headSize: i32,
  scale: f32,
  dq: usize,
  dk: usize,
  dv: usize,
  scratch: usize,
): void {
  const logs = scratch;
  const products = scratch + 32;
  const ones = scratch + 64;
  const edge = scratch + 128;
  const sideBytes = packedBytes(keys, headSize, ROWS);
  const keysByRows = scratch + 1024;
  const valuesByRows = keysByRows + sideBytes;
  const keysByColumns = valuesByRows + sideBytes;
  const query = keysByColumns + packedBytes(headSize, keys, COLUMNS);
  const gradient = query + ((<usize>headSize) << 5);
  const queryRows = gradient + ((<usize>headSize) << 5);
  const gradientRows = queryRows + packedBytes(headSize, COLUMNS, COLUMNS);
  const weights = gradientRows + packedBytes(headSize, COLUMNS, COLUMNS);
  const dWeights = weights + stripBytes(keys);
  const queryStep = (<usize>(heads * headSize)) << 2;
  const keyStep = (<usize>(keyHeads * headSize)) << 2;
  const group = heads / keyHeads;
  const maskSize = (<usize>(keys * maskColumns)) << 2;
  v128.store(ones, f32x4.splat(1));
  v128.store(ones, f32x4.splat(1), 16);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const keyAt = <usize>(b * keys) * keyStep + ((<usize>((h / group) * headSize)) << 2);
      if (h % group === 0) {
        packRows(keysByRows, k + keyAt, keyStep, 4, keys, headSize);
        packRows(valuesByRows, v + keyAt, keyStep, 4, keys, headSize);
        packColumns(keysByColumns, k + keyAt, 4, keyStep, headSize, keys);
      }
      const plane = <usize>(b * maskBatch + h * maskHead);
      const at = <usize>(b * queries) * queryStep + ((<usize>(h * headSize)) << 2);
      for (let t = 0; t < queries; t += COLUMNS) {
        const count = min(COLUMNS, queries - t);
        const row = at + <usize>t * queryStep;
        const sees = seesAny ? seesAny + ((plane * <usize>maskColumns + <usize>t) << 2) : 0;
        readLogs(logs, logSumExp + ((<usize>t) << 2), sees, count);
        rowProducts(products, dy + row, out + row, queryStep, count, headSize);
        packQueries(query, q + row, queryStep, count, headSize, scale);
        packQueries(gradient, dy + row, queryStep, count, headSize, 1);
        scoreStrip(keysByRows, query, keys, headSize, weights);
        scoreStrip(valuesByRows, gradient, keys, headSize, dWeights);
        if (mask) {
          addMask(weights, keys, mask + plane * maskSize + ((<usize>t) << 2), (<usize>maskColumns) << 2);
        }
        gradientStrips(weights, dWeights, keys, logs, products, scale);
        packColumns(queryRows, q + row, 4, queryStep, headSize, count);
        packColumns(gradientRows, dy + row, 4, queryStep, headSize, count);
        weighRows(dWeights, keysByColumns, keys, ones, dq + row, queryStep, count, headSize, edge);
        spreadRows(weights, gradientRows, keys, dv + keyAt, keyStep, count, headSize, edge);
        spreadRows(dWeights, queryRows, keys, dk + keyAt, keyStep, count, headSize, edge);
      }
      logSumExp += (<usize>queries) << 2;
    }
  }
}
