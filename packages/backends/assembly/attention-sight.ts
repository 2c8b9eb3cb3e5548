/** Which keys eight neighbouring queries see, as ranges: nothing of the size of queries times keys is made. */
import { AttentionTask } from './attention-task';
import { COLUMNS } from './tiles';

/** The op layer's number for a key that is not seen: a bias that is not above it hides its key. */
const MASKED: f32 = -1e9;

/** The keys that eight queries see by everything but the bias. */
@unmanaged
export class Sight {
  sample: i32;
  query: i32;
  /** Queries that exist; the lanes behind repeat the last. */
  count: i32;
  /** What is seen lies in between; nothing is if `to` is not above `from`. */
  from: i32;
  to: i32;
  /** What lies in between is seen by all. */
  wholeFrom: i32;
  wholeTo: i32;
  /** Seen by all, whatever the lanes say. */
  prefixFrom: i32;
  prefixTo: i32;
  /** The block ids of the sample's keys, or 0. */
  keyBlocks: usize;
}

/** Behind the fields: eight first keys, eight ends and eight blocks, one a lane. */
const LOWS: usize = 64;
const HIGHS: usize = 96;
const BLOCKS: usize = 128;

/** Bytes that a sight needs. */
export const SIGHT_BYTES: usize = 160;

function valueOr(values: usize, index: i32, otherwise: i32): i32 {
  return values ? load<i32>(values + ((<usize>index) << 2)) : otherwise;
}

/** Fills in what `count` queries of a sample see, from `query` on. Query t of T stands at key position S − T + t. */
export function look(task: AttentionTask, sample: i32, query: i32, count: i32, sight: Sight): void {
  const first = max(valueOr(task.start, sample, 0), 0);
  const behind = min(valueOr(task.end, sample, task.keys), task.keys);
  const prefixTo = min(valueOr(task.prefix, sample, 0), behind);
  const hasPrefix = prefixTo > first;
  let from = hasPrefix ? first : behind;
  let to = hasPrefix ? prefixTo : 0;
  let wholeFrom = first;
  let wholeTo = behind;
  for (let lane = 0; lane < COLUMNS; lane++) {
    const position = task.keys - task.queries + query + min(lane, count - 1);
    const low = max(first, position - task.window + 1);
    const high = task.causal ? min(behind, position + 1) : behind;
    const at = changetype<usize>(sight) + ((<usize>lane) << 2);
    store<i32>(at, low, LOWS);
    store<i32>(at, high, HIGHS);
    if (low < high) {
      from = min(from, low);
      to = max(to, high);
    }
    wholeFrom = max(wholeFrom, low);
    wholeTo = min(wholeTo, high);
  }
  if (hasPrefix && wholeFrom <= prefixTo) {
    wholeFrom = first;
    wholeTo = max(wholeTo, prefixTo);
  }
  sight.sample = sample;
  sight.query = query;
  sight.count = count;
  sight.from = from;
  sight.to = to;
  sight.wholeFrom = wholeFrom;
  sight.wholeTo = wholeTo;
  sight.prefixFrom = first;
  sight.prefixTo = prefixTo;
  sight.keyBlocks = 0;
  if (task.queryBlocks) lookAtBlocks(task, sight);
}

/** Takes the keys of other blocks off both ends, and leaves nothing that is seen unasked. */
function lookAtBlocks(task: AttentionTask, sight: Sight): void {
  const ids = task.queryBlocks + ((<usize>(sight.sample * task.queries + sight.query)) << 2);
  for (let lane = 0; lane < COLUMNS; lane++) {
    const id = load<i32>(ids + ((<usize>min(lane, sight.count - 1)) << 2));
    store<i32>(changetype<usize>(sight) + ((<usize>lane) << 2), id, BLOCKS);
  }
  sight.keyBlocks = task.keyBlocks + ((<usize>(sight.sample * task.keys)) << 2);
  while (sight.from < sight.to && !isOfAnyBlock(sight, sight.from)) sight.from++;
  while (sight.from < sight.to && !isOfAnyBlock(sight, sight.to - 1)) sight.to--;
  sight.wholeFrom = 0;
  sight.wholeTo = 0;
}

function isOfAnyBlock(sight: Sight, key: i32): bool {
  const id = v128.load_splat<i32>(sight.keyBlocks + ((<usize>key) << 2));
  const at = changetype<usize>(sight);
  const isSame = v128.or(i32x4.eq(id, v128.load(at, BLOCKS)), i32x4.eq(id, v128.load(at + 16, BLOCKS)));
  return v128.any_true(isSame);
}

/** All ones in the lanes of four queries, `half` 0 or 16 bytes on, that see a key. */
function seesKey(sight: Sight, half: usize, key: i32): v128 {
  const at = changetype<usize>(sight) + half;
  const position = i32x4.splat(key);
  let sees = v128.and(i32x4.ge_s(position, v128.load(at, LOWS)), i32x4.lt_s(position, v128.load(at, HIGHS)));
  if (key >= sight.prefixFrom && key < sight.prefixTo) sees = i32x4.splat(-1);
  if (!sight.keyBlocks) return sees;
  const id = v128.load_splat<i32>(sight.keyBlocks + ((<usize>key) << 2));
  return v128.and(sees, i32x4.eq(id, v128.load(at, BLOCKS)));
}

/** Sets to `hidden` what is not seen in the strip of keys `from` to `to`. */
function hideRange(sight: Sight, from: i32, to: i32, strip: usize, hidden: v128): void {
  for (let key = from; key < to; key++) {
    v128.store(strip, v128.bitselect(v128.load(strip), hidden, seesKey(sight, 0, key)));
    v128.store(strip, v128.bitselect(v128.load(strip, 16), hidden, seesKey(sight, 16, key)), 16);
    strip += 32;
  }
}

/** Applies the rule to a strip of scores, [to − from][8]: adds its bias, and sets to `hidden` what is not seen. */
export function applyRule(
  task: AttentionTask,
  sight: Sight,
  head: i32,
  from: i32,
  to: i32,
  strip: usize,
  hidden: f32,
): void {
  const lanes = f32x4.splat(hidden);
  if (task.bias) addBias(task, sight, head, from, to, strip, lanes);
  const wholeFrom = min(max(sight.wholeFrom, from), to);
  const wholeTo = min(max(sight.wholeTo, wholeFrom), to);
  hideRange(sight, from, wholeFrom, strip, lanes);
  hideRange(sight, wholeTo, to, strip + ((<usize>(wholeTo - from)) << 5), lanes);
}

/** Where the bias of a query's keys begins. */
export function biasRow(task: AttentionTask, sight: Sight, head: i32, lane: i32): usize {
  const plane = sight.sample * task.biasBatch + head * task.biasHead;
  const row = plane * task.queries + sight.query + min(lane, sight.count - 1);
  return task.bias + ((<usize>row * <usize>task.keys) << 2);
}

function addBias(
  task: AttentionTask,
  sight: Sight,
  head: i32,
  from: i32,
  to: i32,
  strip: usize,
  hidden: v128,
): void {
  const masked = f32x4.splat(MASKED);
  for (let half = 0; half < COLUMNS; half += 4) {
    let r0 = biasRow(task, sight, head, half) + ((<usize>from) << 2);
    let r1 = biasRow(task, sight, head, half + 1) + ((<usize>from) << 2);
    let r2 = biasRow(task, sight, head, half + 2) + ((<usize>from) << 2);
    let r3 = biasRow(task, sight, head, half + 3) + ((<usize>from) << 2);
    let at = strip + ((<usize>half) << 2);
    for (let key = from; key < to; key++) {
      let bias = v128.load32_zero(r0);
      bias = v128.load_lane<u32>(r1, bias, 1);
      bias = v128.load_lane<u32>(r2, bias, 2);
      bias = v128.load_lane<u32>(r3, bias, 3);
      const score = f32x4.add(v128.load(at), bias);
      v128.store(at, v128.bitselect(hidden, score, f32x4.le(bias, masked)));
      r0 += 4;
      r1 += 4;
      r2 += 4;
      r3 += 4;
      at += 32;
    }
  }
}

/** The same for the scores of one query, [to − from]. */
export function applyRuleToRow(
  task: AttentionTask,
  sight: Sight,
  head: i32,
  lane: i32,
  from: i32,
  to: i32,
  scores: usize,
  hidden: f32,
): void {
  if (task.bias) addBiasToRow(biasRow(task, sight, head, lane), from, to, scores, hidden);
  if (from >= sight.wholeFrom && to <= sight.wholeTo) return;
  const at = changetype<usize>(sight) + ((<usize>lane) << 2);
  const low = load<i32>(at, LOWS);
  const high = load<i32>(at, HIGHS);
  const block = load<i32>(at, BLOCKS);
  for (let key = from; key < to; key++) {
    const isNear = key >= low && key < high;
    const isInPrefix = key >= sight.prefixFrom && key < sight.prefixTo;
    const isOfBlock = !sight.keyBlocks || load<i32>(sight.keyBlocks + ((<usize>key) << 2)) === block;
    if (!isOfBlock || !(isNear || isInPrefix)) store<f32>(scores + ((<usize>(key - from)) << 2), hidden);
  }
}

function addBiasToRow(row: usize, from: i32, to: i32, scores: usize, hidden: f32): void {
  for (let key = from; key < to; key++) {
    const bias = load<f32>(row + ((<usize>key) << 2));
    store<f32>(scores, bias <= MASKED ? hidden : load<f32>(scores) + bias);
    scores += 4;
  }
}
