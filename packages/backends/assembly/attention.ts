/**
 * Attention, eight queries at a time: their scores against a block of keys form a strip, and only the log of the sum
 * of exponentials is kept for the gradient (Dao et al., arXiv:2205.14135). More keys than one block are joined by
 * their log-sum-exp, so that no memory grows with their number.
 */
import { attentionOfFew, FEW, fewScratch } from './attention-few';
import { applyRule, look, SIGHT_BYTES, Sight } from './attention-sight';
import {
  HIDDEN,
  joinSoftmax,
  packedBytes,
  packQueries,
  scoreStrip,
  softmaxStrip,
  stripBytes,
  weighRows,
  weighScratch,
} from './attention-strip';
import { AttentionTask, panels } from './attention-task';
import { ATTENTION } from './jobs';
import { packRows } from './pack';
import { argument, begin, first, launch, partsFor, put, threads } from './threads';
import { COLUMNS, copyBlock, ROWS } from './tiles';

/** Keys of a block, whose strip of 30 KB stays in the first cache. Whole tiles. */
const KEY_BLOCK: i32 = 960;

/** Bytes of keys, and of values, that stay in the second cache. */
const NEAR_BYTES: usize = 1 << 19;

/** The memory of one thread. */
@unmanaged
class Workspace {
  keys: usize;
  values: usize;
  query: usize;
  strip: usize;
  sight: Sight;
  /** Eight floats each: the log-sum-exp before and of this block, and 1 / Σ. */
  before: usize;
  logs: usize;
  inverse: usize;
  weigh: usize;
  /** Packed keys or values of a block as floats. */
  wide: usize;
}

const WORKSPACE_BYTES: usize = 64;

function threadScratch(queries: i32, keys: i32, group: i32, size: i32, packed: i32): usize {
  const block = min(keys, KEY_BLOCK);
  if (queries <= FEW) return (fewScratch(queries * group, block, size) + 127) & ~127;
  const sides = packedBytes(block, size, ROWS) + packedBytes(size, block, ROWS);
  const query = (<usize>size) << 5;
  const rest = WORKSPACE_BYTES + SIGHT_BYTES + 96 + weighScratch(size);
  const wide = packed ? (<usize>(block * size)) << 2 : 0;
  return (sides + query + stripBytes(block) + rest + wide + 127) & ~127;
}

/** Bytes of scratch memory that `attention` needs. */
export function attentionScratch(queries: i32, keys: i32, group: i32, headSize: i32, packed: i32): usize {
  return threadScratch(queries, keys, group, headSize, packed) * <usize>threads();
}

function layOut(task: AttentionTask, scratch: usize): Workspace {
  const block = min(task.keys, KEY_BLOCK);
  const work = changetype<Workspace>(scratch);
  work.keys = scratch + WORKSPACE_BYTES;
  work.values = work.keys + packedBytes(block, task.headSize, ROWS);
  work.query = work.values + packedBytes(task.headSize, block, ROWS);
  work.strip = work.query + ((<usize>task.headSize) << 5);
  const sight = work.strip + stripBytes(block);
  work.sight = changetype<Sight>(sight);
  work.before = sight + SIGHT_BYTES;
  work.logs = work.before + 32;
  work.inverse = work.logs + 32;
  work.weigh = work.inverse + 32;
  work.wide = work.weigh + weighScratch(task.headSize);
  return work;
}

/**
 * Fills `out` and `logSumExp` of the task at `address`: zeros and `HIDDEN` for a query that sees no key. Threads share
 * the queries of all heads, or if there are few the key heads.
 */
export function attention(address: usize, scratch: usize): void {
  const task = changetype<AttentionTask>(address);
  begin(ATTENTION);
  put(address);
  put(scratch);
  const products =
    <f64>task.batch * <f64>task.heads * <f64>task.queries * <f64>task.keys * <f64>task.headSize;
  launch(min(partsFor(products), units(task)));
}

export function attentionPart(part: i32, parts: i32, thread: i32): void {
  const task = changetype<AttentionTask>(argument(0));
  const size = threadScratch(task.queries, task.keys, task.group, task.headSize, task.packed);
  const scratch = argument(1) + <usize>thread * size;
  const from = first(units(task), part, parts);
  const to = first(units(task), part + 1, parts);
  if (task.queries > FEW) attentionOfMany(task, from, to, scratch);
  else attentionOfFew(task, from, to, fewBlock(task), scratch);
}

/** Keys of a block for a few queries: each head reads its piece of all rows, which should still be in the cache then. */
function fewBlock(task: AttentionTask): i32 {
  const near = max(<i32>(NEAR_BYTES / task.keyStep), 64);
  return min(min(task.keys, KEY_BLOCK), near);
}

/** What is done in one go: eight queries of a head, or a few of all that read one key head. */
function units(task: AttentionTask): i32 {
  const each = task.queries > FEW ? task.group * panels(task.queries, COLUMNS) : 1;
  return task.batch * task.keyHeads * each;
}

/** Attention of units `from` to `to`: eight queries of one head each, the heads of a key head one after the other. */
function attentionOfMany(task: AttentionTask, from: i32, to: i32, scratch: usize): void {
  const work = layOut(task, scratch);
  const perKeyHead = task.group * panels(task.queries, COLUMNS);
  while (from < to) {
    const keyHead = from / perKeyHead;
    const end = min(to, (keyHead + 1) * perKeyHead);
    for (let key = 0; key < task.keys; key += KEY_BLOCK) {
      const count = min(KEY_BLOCK, task.keys - key);
      packBlock(task, keyHead, key, count, work);
      for (let unit = from; unit < end; unit++) attendUnit(task, unit, key, count, work);
    }
    from = end;
  }
}

/** Packs a block of keys and values of one key head of all. */
function packBlock(task: AttentionTask, keyHead: i32, key: i32, count: i32, work: Workspace): void {
  const size = task.headSize;
  const head = keyHead % task.keyHeads;
  const at = task.keyAt(keyHead / task.keyHeads, head, key);
  let keys = task.k + at;
  let values = task.v + at;
  let step = task.keyStep;
  if (task.packed) {
    task.widen(keys, head, count, work.wide);
    keys = work.wide;
    values = work.wide;
    step = (<usize>size) << 2;
  }
  packRows(work.keys, keys, step, 4, count, size);
  if (task.packed) task.widen(task.v + at, head, count, work.wide);
  packRows(work.values, values, 4, step, size, count);
}

function attendUnit(task: AttentionTask, unit: i32, key: i32, keys: i32, work: Workspace): void {
  const groups = panels(task.queries, COLUMNS);
  const headOfAll = unit / groups;
  const sample = headOfAll / task.heads;
  const head = headOfAll % task.heads;
  const query = (unit % groups) * COLUMNS;
  const count = min(COLUMNS, task.queries - query);
  const sight = work.sight;
  look(task, sample, query, count, sight);
  const from = key + ((max(sight.from, key) - key) / ROWS) * ROWS;
  const to = min(sight.to, key + keys);
  const logs = task.logAt(sample, head, query);
  const out = task.out + task.queryAt(sample, head, query);
  if (from >= to) {
    if (key === 0) clearRows(out, task.queryStep, count, task.headSize, logs);
    return;
  }
  const size = task.headSize;
  packQueries(
    work.query,
    task.q + task.queryAt(sample, head, query),
    task.queryStep,
    count,
    size,
    task.scale,
  );
  scoreStrip(work.keys + ((<usize>((from - key) * size)) << 2), work.query, to - from, size, work.strip);
  applyRule(task, sight, head, from, to, work.strip, HIDDEN);
  softmaxStrip(work.strip, to - from, work.inverse, work.logs);
  if (key > 0) {
    copyBlock(work.before, 0, logs, 0, 1, count);
    joinSoftmax(work.before, work.logs, work.inverse);
  }
  weighRows(
    work.strip,
    work.values + <usize>((from - key) * 24),
    keys,
    to - from,
    work.inverse,
    key > 0 ? work.before : 0,
    out,
    task.queryStep,
    count,
    size,
    work.weigh,
  );
  copyBlock(logs, 0, work.logs, 0, 1, count);
}

/** What queries get that have seen no key so far. */
function clearRows(to: usize, step: usize, count: i32, size: i32, logs: usize): void {
  for (let i = 0; i < count; i++) {
    memory.fill(to, 0, (<usize>size) << 2);
    store<f32>(logs + ((<usize>i) << 2), HIDDEN);
    to += step;
  }
}
