/**
 * The gradients of attention, recomputing the weights P from the log-sum-exp: `dV = Pᵀ·dO`,
 * `dS = P ∘ (dO·Vᵀ − Σ dO∘O)`, `dQ = scale · dS·K`, `dK = scale · dSᵀ·Q` (Dao et al., arXiv:2205.14135, and by blocks
 * of keys as in arXiv:2307.08691). A block of queries meets a block of keys as strips of P and of dS; each key then
 * gets what all these queries add in one go.
 */
import { rowProducts, toGradients } from './attention-gradient-strip';
import { applyRule, look, SIGHT_BYTES, Sight } from './attention-sight';
import { packedBytes, packQueries, scoreStrip, stripBytes, weighRows, weighScratch } from './attention-strip';
import { AttentionTask, panels } from './attention-task';
import { ATTENTION_GRADIENT } from './jobs';
import { packColumns, packRows } from './pack';
import { argument, begin, first, launch, partsFor, put, threads } from './threads';
import { COLUMNS, copyBlock, ROWS, stripTile } from './tiles';

/** Queries of a block: four strips. */
const QUERY_BLOCK: i32 = 32;
/** Keys of a block, in whole tiles; the strips and packed sides of both stay in the second cache. */
const KEY_BLOCK: i32 = 600;

/** Stands for the log-sum-exp of a query that is not there: all its weights become zero. */
const ABSENT: f32 = 3e38;

/** The memory of one thread. */
@unmanaged
class Workspace {
  /** A block of keys and of values in panels of six rows, and of keys in panels of six columns. */
  keyRows: usize;
  valueRows: usize;
  keyColumns: usize;
  /** Eight queries and their gradients as panels [headSize][8]. */
  query: usize;
  gradient: usize;
  /** A block of queries and of their gradients in panels of eight columns. */
  queryColumns: usize;
  gradientColumns: usize;
  /** Strips of P and of dS, `stripStep` bytes each. */
  weights: usize;
  dScores: usize;
  stripStep: usize;
  /** One for each eight queries of the block. */
  sights: usize;
  /** Eight floats each. */
  logs: usize;
  products: usize;
  ones: usize;
  weigh: usize;
  edge: usize;
}

const WORKSPACE_BYTES: usize = 64;
const EDGE_BYTES: usize = 192;

function sight(work: Workspace, group: i32): Sight {
  return changetype<Sight>(work.sights + <usize>group * SIGHT_BYTES);
}

/** Keys of each of the equal blocks that n keys are taken in. */
function keyBlock(n: i32): i32 {
  const blocks = panels(n, KEY_BLOCK);
  return panels(n, blocks * ROWS) * ROWS;
}

function threadScratch(keys: i32, size: i32): usize {
  const block = keyBlock(keys);
  const sides = (packedBytes(block, size, ROWS) << 1) + packedBytes(size, block, ROWS);
  const queries = ((<usize>size) << 6) + (packedBytes(size, QUERY_BLOCK, COLUMNS) << 1);
  const groups = <usize>(QUERY_BLOCK / COLUMNS);
  const strips = groups * ((stripBytes(block) << 1) + SIGHT_BYTES);
  return (WORKSPACE_BYTES + sides + queries + strips + 96 + weighScratch(size) + EDGE_BYTES + 127) & ~127;
}

function layOut(task: AttentionTask, scratch: usize): Workspace {
  const size = task.headSize;
  const block = keyBlock(task.keys);
  const groups = <usize>(QUERY_BLOCK / COLUMNS);
  const work = changetype<Workspace>(scratch);
  work.keyRows = scratch + WORKSPACE_BYTES;
  work.valueRows = work.keyRows + packedBytes(block, size, ROWS);
  work.keyColumns = work.valueRows + packedBytes(block, size, ROWS);
  work.query = work.keyColumns + packedBytes(size, block, ROWS);
  work.gradient = work.query + ((<usize>size) << 5);
  work.queryColumns = work.gradient + ((<usize>size) << 5);
  work.gradientColumns = work.queryColumns + packedBytes(size, QUERY_BLOCK, COLUMNS);
  work.stripStep = stripBytes(block);
  work.weights = work.gradientColumns + packedBytes(size, QUERY_BLOCK, COLUMNS);
  work.dScores = work.weights + groups * work.stripStep;
  work.sights = work.dScores + groups * work.stripStep;
  work.logs = work.sights + groups * SIGHT_BYTES;
  work.products = work.logs + 32;
  work.ones = work.products + 32;
  work.weigh = work.ones + 32;
  work.edge = work.weigh + weighScratch(size);
  v128.store(work.ones, f32x4.splat(1));
  v128.store(work.ones, f32x4.splat(1), 16);
  return work;
}

/** Bytes of scratch memory that `attentionGradient` needs. */
export function attentionGradientScratch(keys: i32, headSize: i32): usize {
  return threadScratch(keys, headSize) * <usize>threads();
}

/** Fills `dq`, `dk` and `dv` of the task at `address`. Each key head is one thread's, which alone adds to its rows. */
export function attentionGradient(address: usize, scratch: usize): void {
  const task = changetype<AttentionTask>(address);
  begin(ATTENTION_GRADIENT);
  put(address);
  put(scratch);
  const products =
    <f64>task.batch * <f64>task.heads * <f64>task.queries * <f64>task.keys * <f64>task.headSize;
  launch(min(partsFor(products), task.batch * task.keyHeads));
}

export function attentionGradientPart(part: i32, parts: i32, thread: i32): void {
  const task = changetype<AttentionTask>(argument(0));
  const work = layOut(task, argument(1) + <usize>thread * threadScratch(task.keys, task.headSize));
  const units = task.batch * task.keyHeads;
  const end = first(units, part + 1, parts);
  for (let unit = first(units, part, parts); unit < end; unit++) {
    gradientOfKeyHead(task, unit / task.keyHeads, unit % task.keyHeads, work);
  }
}

/** All of one key head and of the query heads that read it. */
function gradientOfKeyHead(task: AttentionTask, sample: i32, keyHead: i32, work: Workspace): void {
  const size = task.headSize;
  const head = keyHead * task.group;
  const rows = task.keyAt(sample, keyHead, 0);
  clearRows(task.dk + rows, task.keyStep, task.keyRows, size);
  clearRows(task.dv + rows, task.keyStep, task.keyRows, size);
  clearRows(task.dq + task.queryAt(sample, head, 0), task.queryStep, task.queries, task.group * size);
  const block = keyBlock(task.keys);
  for (let key = 0; key < task.keys; key += block) {
    const keys = min(block, task.keys - key);
    const at = task.keyAt(sample, keyHead, key);
    packRows(work.keyRows, task.k + at, task.keyStep, 4, keys, size);
    packRows(work.valueRows, task.v + at, task.keyStep, 4, keys, size);
    packRows(work.keyColumns, task.k + at, 4, task.keyStep, size, keys);
    for (let h = head; h < head + task.group; h++) {
      for (let t = 0; t < task.queries; t += QUERY_BLOCK) {
        gradientOfBlock(task, sample, h, t, key, keys, work);
      }
    }
  }
}

function clearRows(to: usize, step: usize, rows: i32, size: i32): void {
  for (let i = 0; i < rows; i++) {
    memory.fill(to, 0, (<usize>size) << 2);
    to += step;
  }
}

/** What a block of queries of one head and a block of keys add to each other's gradients. */
function gradientOfBlock(
  task: AttentionTask,
  sample: i32,
  head: i32,
  query: i32,
  key: i32,
  keys: i32,
  work: Workspace,
): void {
  const size = task.headSize;
  const queries = min(QUERY_BLOCK, task.queries - query);
  let from = key + keys;
  let to = key;
  for (let t = 0; t < queries; t += COLUMNS) {
    const seen = sight(work, t / COLUMNS);
    look(task, sample, query + t, min(COLUMNS, queries - t), seen);
    from = min(from, seen.from);
    to = max(to, seen.to);
  }
  from = key + ((max(from, key) - key) / ROWS) * ROWS;
  to = min(to, key + keys);
  if (from >= to) return;
  for (let t = 0; t < queries; t += COLUMNS) strips(task, head, t, from, to, key, keys, work);
  const at = task.queryAt(sample, head, query);
  packColumns(work.queryColumns, task.q + at, 4, task.queryStep, size, queries);
  packColumns(work.gradientColumns, task.dy + at, 4, task.queryStep, size, queries);
  const row = task.keyAt(sample, head / task.group, from);
  spreadRows(work, work.weights, work.gradientColumns, to - from, task.dv + row, task.keyStep, queries, size);
  spreadRows(work, work.dScores, work.queryColumns, to - from, task.dk + row, task.keyStep, queries, size);
}

/** P and dS of up to eight queries from `t` of the block, and what they add to the gradient of the queries. */
function strips(
  task: AttentionTask,
  head: i32,
  t: i32,
  from: i32,
  to: i32,
  key: i32,
  keys: i32,
  work: Workspace,
): void {
  const group = t / COLUMNS;
  const seen = sight(work, group);
  const size = task.headSize;
  const at = task.queryAt(seen.sample, head, seen.query);
  const step = task.queryStep;
  const weights = work.weights + <usize>group * work.stripStep;
  const dScores = work.dScores + <usize>group * work.stripStep;
  const side = (<usize>((from - key) * size)) << 2;
  packQueries(work.query, task.q + at, step, seen.count, size, task.scale);
  packQueries(work.gradient, task.dy + at, step, seen.count, size, 1);
  scoreStrip(work.keyRows + side, work.query, to - from, size, weights);
  scoreStrip(work.valueRows + side, work.gradient, to - from, size, dScores);
  // Whatever the log-sum-exp of a query that sees nothing is, its weights become zero.
  applyRule(task, seen, head, from, to, weights, -Infinity);
  readLogs(work.logs, task.logAt(seen.sample, head, seen.query), seen.count);
  rowProducts(work.products, task.dy + at, task.out + at, step, seen.count, size);
  toGradients(weights, dScores, to - from, work.logs, work.products, task.scale);
  const columns = work.keyColumns + <usize>((from - key) * 24);
  weighRows(
    dScores,
    columns,
    keys,
    to - from,
    work.ones,
    work.ones,
    task.dq + at,
    step,
    seen.count,
    size,
    work.weigh,
  );
}

function readLogs(to: usize, from: usize, count: i32): void {
  for (let i: usize = 0; i < 32; i += 4) {
    store<f32>(to + i, i < (<usize>count) << 2 ? load<f32>(from + i) : ABSENT);
  }
}

/** `to[keys][size] += strips · rows` for `count` rows, packed in panels of eight columns. */
function spreadRows(
  work: Workspace,
  strip: usize,
  packed: usize,
  keys: i32,
  to: usize,
  toStep: usize,
  count: i32,
  size: i32,
): void {
  for (let x = 0; x < size; x += COLUMNS) {
    const width = min(COLUMNS, size - x);
    let from = strip;
    for (let s = 0; s < keys; s += ROWS) {
      const height = min(ROWS, keys - s);
      const at = to + <usize>s * toStep + ((<usize>x) << 2);
      if (height === ROWS && width === COLUMNS) {
        stripTile(from, work.stripStep, packed, count, at, toStep);
      } else {
        copyBlock(work.edge, 32, at, toStep, height, width);
        stripTile(from, work.stripStep, packed, count, work.edge, 32);
        copyBlock(at, toStep, work.edge, 32, height, width);
      }
      from += 192;
    }
    packed += (<usize>count) << 5;
  }
}
