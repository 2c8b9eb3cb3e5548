/**
 * Attention of one query or a few, as in decoding: memory is the limit, so keys and values are read where they lie,
 * once for all query heads that share them.
 */
import { applyRuleToRow, look, SIGHT_BYTES, Sight } from './attention-sight';
import { HIDDEN, inverseSum, joinSoftmax, mergeRow } from './attention-strip';
import { AttentionTask, panels } from './attention-task';
import { exp, log } from './exponential';
import { COLUMNS } from './tiles';
import { lanesSum, madd } from './vector';

/** Up to so many queries, packing keys and values costs more than it brings. */
export const FEW: i32 = 4;

/** Keys that are read at a time: they and their values stay in the first cache for all rows. */
const NEAR_KEYS: i32 = 32;

/** The memory of one thread; a row is one query of one head. */
@unmanaged
class Workspace {
  sight: Sight;
  /** Keys of a block. */
  block: i32;
  /** Bytes of a row of scores, [block], and of sums, [headSize]. */
  scoreStep: usize;
  sumStep: usize;
  scores: usize;
  sums: usize;
  /** One float for each row: the log-sum-exp before and of this block, and 1 / Σ. */
  before: usize;
  logs: usize;
  inverse: usize;
  /** Packed keys or values that are read, as floats. */
  near: usize;
}

const WORKSPACE_BYTES: usize = 64;

/** Bytes of scratch memory that each thread needs for so many rows. */
export function fewScratch(rows: i32, block: i32, size: i32): usize {
  const lanes = <usize>(panels(rows, COLUMNS) * COLUMNS);
  const row = rowBytes(block) + rowBytes(size);
  return WORKSPACE_BYTES + SIGHT_BYTES + 12 * lanes + <usize>rows * row + nearBytes(size);
}

function nearBytes(size: i32): usize {
  return (<usize>(NEAR_KEYS * size)) << 2;
}

/** Bytes of n floats in whole vectors. */
function rowBytes(n: i32): usize {
  return (<usize>panels(n, 4)) << 4;
}

function layOut(task: AttentionTask, rows: i32, block: i32, scratch: usize): Workspace {
  const lanes = (<usize>(panels(rows, COLUMNS) * COLUMNS)) << 2;
  const work = changetype<Workspace>(scratch);
  work.block = block;
  work.sight = changetype<Sight>(scratch + WORKSPACE_BYTES);
  work.before = scratch + WORKSPACE_BYTES + SIGHT_BYTES;
  work.logs = work.before + lanes;
  work.inverse = work.logs + lanes;
  work.scores = work.inverse + lanes;
  work.scoreStep = rowBytes(block);
  work.sums = work.scores + <usize>rows * work.scoreStep;
  work.sumStep = rowBytes(task.headSize);
  work.near = work.sums + <usize>rows * work.sumStep;
  return work;
}

/** Attention of the key heads `from` to `to` of all samples, `block` keys at a time. */
export function attentionOfFew(task: AttentionTask, from: i32, to: i32, block: i32, scratch: usize): void {
  const work = layOut(task, task.group * task.queries, block, scratch);
  for (let unit = from; unit < to; unit++) {
    const sample = unit / task.keyHeads;
    const readsRows = unit === from || unit % task.keyHeads === 0;
    look(task, sample, 0, task.queries, work.sight);
    clearHeads(task, sample, unit % task.keyHeads);
    let isFirst = true;
    for (let key = 0; key < task.keys; key += block) {
      const first = max(key, work.sight.from);
      const end = min(min(key + block, task.keys), work.sight.to);
      if (first >= end) continue;
      if (readsRows && to - unit > 1) readRows(task, sample, first, end);
      attendKeys(task, unit % task.keyHeads, first, end, isFirst, work);
      isFirst = false;
    }
  }
}

/**
 * Brings keys and values into the cache as they lie. Each key head then reads a piece of every row, which from memory
 * would take several times as long.
 */
function readRows(task: AttentionTask, sample: i32, from: i32, to: i32): void {
  const at = task.keyAt(sample, 0, from);
  const bytes = <usize>(to - from) * task.keyStep;
  for (let i: usize = 0; i < bytes; i += 64) load<i32>(task.k + at + i);
  for (let i: usize = 0; i < bytes; i += 64) load<i32>(task.v + at + i);
}

/** What queries get that see no key. */
function clearHeads(task: AttentionTask, sample: i32, keyHead: i32): void {
  const head = keyHead * task.group;
  const bytes = (<usize>(task.group * task.headSize)) << 2;
  for (let t = 0; t < task.queries; t++) memory.fill(task.out + task.queryAt(sample, head, t), 0, bytes);
  const logs = task.logAt(sample, head, 0);
  for (let i = 0; i < task.group * task.queries; i++) store<f32>(logs + ((<usize>i) << 2), HIDDEN);
}

/** All rows of a key head with the keys `from` to `to`. Row i is query i % queries of the head i / queries. */
function attendKeys(
  task: AttentionTask,
  keyHead: i32,
  from: i32,
  to: i32,
  isFirst: bool,
  work: Workspace,
): void {
  const sample = work.sight.sample;
  const head = keyHead * task.group;
  const rows = task.group * task.queries;
  const keys = to - from;
  const at = task.keyAt(sample, keyHead, from);
  scoreRows(task, keyHead, task.k + at, keys, work);
  for (let i = 0; i < rows; i++) {
    const scores = work.scores + <usize>i * work.scoreStep;
    applyRuleToRow(task, work.sight, head + i / task.queries, i % task.queries, from, to, scores, HIDDEN);
    const lane = (<usize>i) << 2;
    softmaxRow(scores, keys, work.inverse + lane, work.logs + lane);
  }
  weighValues(task, keyHead, task.v + at, keys, work);
  const bytes = (<usize>rows) << 2;
  const logs = task.logAt(sample, head, 0);
  if (!isFirst) {
    memory.copy(work.before, logs, bytes);
    for (let i: usize = 0; i < bytes; i += 32) joinSoftmax(work.before + i, work.logs + i, work.inverse + i);
  }
  memory.copy(logs, work.logs, bytes);
  for (let i = 0; i < rows; i++) {
    const out = task.out + task.queryAt(sample, head + i / task.queries, i % task.queries);
    const sums = work.sums + <usize>i * work.sumStep;
    scaleRow(sums, task.headSize, work.inverse + ((<usize>i) << 2));
    mergeRow(out, sums, task.headSize, isFirst ? 0 : work.before + ((<usize>i) << 2));
  }
}

/** Bytes from a key or value that is read to the next. */
function nearStep(task: AttentionTask): usize {
  return task.packed ? (<usize>task.headSize) << 2 : task.keyStep;
}

/** Where `count` keys or values that lie at `at` are to be read. */
function nearRows(task: AttentionTask, keyHead: i32, at: usize, count: i32, work: Workspace): usize {
  if (!task.packed) return at;
  task.widen(at, keyHead, count, work.near);
  return work.near;
}

/** The scores of all rows of a key head. */
function scoreRows(task: AttentionTask, keyHead: i32, k: usize, keys: i32, work: Workspace): void {
  const q = task.q + task.queryAt(work.sight.sample, keyHead * task.group, 0);
  for (let key = 0; key < keys; key += NEAR_KEYS) {
    const count = min(NEAR_KEYS, keys - key);
    const near = nearRows(task, keyHead, k, count, work);
    scoreNear(task, q, near, count, work.scores + ((<usize>key) << 2), work.scoreStep);
    k += <usize>NEAR_KEYS * task.keyStep;
  }
}

/** The scores of a few keys, four of them at a time for all rows. */
function scoreNear(
  task: AttentionTask,
  q: usize,
  k: usize,
  keys: i32,
  scores: usize,
  scoreStep: usize,
): void {
  const headBytes = (<usize>task.headSize) << 2;
  const step = nearStep(task);
  for (let key = 0; key < keys; key += 4) {
    let to = scores + ((<usize>key) << 2);
    for (let h = 0; h < task.group; h++) {
      let query = q + <usize>h * headBytes;
      for (let t = 0; t < task.queries; t++) {
        v128.store(to, fourProducts(query, k, step, min(4, keys - key), task.headSize, task.scale));
        to += scoreStep;
        query += task.queryStep;
      }
    }
    k += 4 * step;
  }
}

/** `scale · q · k` for `count` keys, one a lane; the lanes behind repeat the last. */
function fourProducts(q: usize, k0: usize, step: usize, count: i32, size: i32, scale: f32): v128 {
  let k1 = k0 + (count > 1 ? step : 0);
  let k2 = k1 + (count > 2 ? step : 0);
  let k3 = k2 + (count > 3 ? step : 0);
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let x = 0;
  for (; x + 4 <= size; x += 4) {
    const query = v128.load(q);
    s0 = madd(query, v128.load(k0), s0);
    s1 = madd(query, v128.load(k1), s1);
    s2 = madd(query, v128.load(k2), s2);
    s3 = madd(query, v128.load(k3), s3);
    q += 16;
    k0 += 16;
    k1 += 16;
    k2 += 16;
    k3 += 16;
  }
  const s01 = f32x4.add(v128.shuffle<f32>(s0, s1, 0, 4, 1, 5), v128.shuffle<f32>(s0, s1, 2, 6, 3, 7));
  const s23 = f32x4.add(v128.shuffle<f32>(s2, s3, 0, 4, 1, 5), v128.shuffle<f32>(s2, s3, 2, 6, 3, 7));
  let sums = f32x4.add(v128.shuffle<f32>(s01, s23, 0, 1, 4, 5), v128.shuffle<f32>(s01, s23, 2, 3, 6, 7));
  for (; x < size; x++) {
    let column = v128.load32_zero(k0);
    column = v128.load_lane<u32>(k1, column, 1);
    column = v128.load_lane<u32>(k2, column, 2);
    column = v128.load_lane<u32>(k3, column, 3);
    sums = madd(v128.load_splat<f32>(q), column, sums);
    q += 4;
    k0 += 4;
    k1 += 4;
    k2 += 4;
    k3 += 4;
  }
  return f32x4.mul(sums, f32x4.splat(scale));
}

/** `softmaxStrip` for one row. */
function softmaxRow(scores: usize, keys: i32, inverse: usize, logSumExp: usize): void {
  const end = scores + rowBytes(keys);
  for (let at = scores + ((<usize>keys) << 2); at < end; at += 4) store<f32>(at, HIDDEN);
  let largest = f32x4.splat(-Infinity);
  for (let at = scores; at < end; at += 16) largest = f32x4.pmax(largest, v128.load(at));
  largest = f32x4.pmax(largest, v128.shuffle<f32>(largest, largest, 2, 3, 0, 1));
  largest = f32x4.pmax(largest, v128.shuffle<f32>(largest, largest, 1, 0, 3, 2));
  let sums = f32x4.splat(0);
  for (let at = scores; at < end; at += 16) {
    const e = exp(f32x4.sub(v128.load(at), largest));
    sums = f32x4.add(sums, e);
    v128.store(at, e);
  }
  const sum = f32x4.splat(lanesSum(sums));
  v128.store_lane<f32>(inverse, inverseSum(sum, largest), 0);
  v128.store_lane<f32>(logSumExp, f32x4.add(largest, log(sum)), 0);
}

/** `sums = weights · v` for all rows of a key head. */
function weighValues(task: AttentionTask, keyHead: i32, v: usize, keys: i32, work: Workspace): void {
  const rows = task.group * task.queries;
  const step = nearStep(task);
  memory.fill(work.sums, 0, <usize>rows * work.sumStep);
  for (let key = 0; key < keys; key += NEAR_KEYS) {
    const count = min(NEAR_KEYS, keys - key);
    const near = nearRows(task, keyHead, v, count, work);
    for (let i = 0; i < rows; i++) {
      const weights = work.scores + <usize>i * work.scoreStep + ((<usize>key) << 2);
      addRows(work.sums + <usize>i * work.sumStep, weights, near, step, count, task.headSize);
    }
    v += <usize>NEAR_KEYS * task.keyStep;
  }
}

/** `to[size] += weights[count] · rows[count][size]`. */
function addRows(to: usize, weights: usize, rows: usize, step: usize, count: i32, size: i32): void {
  let x = 0;
  for (; x + 16 <= size; x += 16) {
    let s0 = v128.load(to);
    let s1 = v128.load(to, 16);
    let s2 = v128.load(to, 32);
    let s3 = v128.load(to, 48);
    let row = rows;
    for (let i: usize = 0; i < (<usize>count) << 2; i += 4) {
      const weight = v128.load_splat<f32>(weights + i);
      s0 = madd(weight, v128.load(row), s0);
      s1 = madd(weight, v128.load(row, 16), s1);
      s2 = madd(weight, v128.load(row, 32), s2);
      s3 = madd(weight, v128.load(row, 48), s3);
      row += step;
    }
    v128.store(to, s0);
    v128.store(to, s1, 16);
    v128.store(to, s2, 32);
    v128.store(to, s3, 48);
    to += 64;
    rows += 64;
  }
  for (; x < size; x++) {
    let sum = load<f32>(to);
    for (let i = 0; i < count; i++) {
      sum += load<f32>(weights + ((<usize>i) << 2)) * load<f32>(rows + <usize>i * step);
    }
    store<f32>(to, sum);
    to += 4;
    rows += 4;
  }
}

function scaleRow(row: usize, size: i32, factor: usize): void {
  const lanes = v128.load_splat<f32>(factor);
  const end = row + rowBytes(size);
  for (; row < end; row += 16) v128.store(row, f32x4.mul(v128.load(row), lanes));
}
