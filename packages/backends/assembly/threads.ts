/**
 * A pool of threads over one memory. The main thread writes a job's number and arguments into a block of memory and
 * opens it in parts; every thread that is free, the main one too, takes parts until none is left. Nobody is waited for
 * who has taken none, so a pool that is still starting, asleep or pushed off its processor costs nothing.
 */
import { runPart } from './jobs';

/** Parts that nobody has taken yet; zero or less between jobs. */
const LEFT: usize = 0;
/** Helpers that may be working on a part. */
const ACTIVE: usize = 64;
/** Changes with every job; what sleeping helpers wait on. */
const EPOCH: usize = 128;
const SLEEPING: usize = 132;
/** How many threads there are, the main one included. */
const THREADS: usize = 192;
const KIND: usize = 196;
const PARTS: usize = 200;
const ARGUMENTS: usize = 256;

/** Bytes of the block; it holds up to 48 arguments. */
export const THREADS_SIZE: usize = ARGUMENTS + 192;

/** How often a helper looks for the next job before it sleeps: about a millisecond. */
const SPINS: i32 = 1 << 20;
/** Less work than this, in elementary operations, is done before another thread has noticed. */
let smallWork: f64 = 1e5;
/** How much more it is while the helpers sleep: waking one takes some 80 microseconds. */
const ASLEEP: f64 = 40;

let block: usize = 0;
let writing: usize = 0;

/** Makes the block at `memory` this instance's. The main thread's instance also clears it. */
export function attachThreads(memory: usize): void {
  block = memory;
}

export function clearThreads(): void {
  memory.fill(block, 0, THREADS_SIZE);
  setThreads(1);
}

/** @param count threads that may work at once, the main one included */
export function setThreads(count: i32): void {
  store<i32>(block + THREADS, count);
}

/** For tests, which split small work. */
export function splitFrom(work: f64): void {
  smallWork = work;
}

export function threads(): i32 {
  return load<i32>(block + THREADS);
}

/** How many parts `work` elementary operations are worth: 1, or as many as there are threads. */
export function partsFor(work: f64): i32 {
  const count = threads();
  if (count === 1 || work < smallWork) return 1;
  const asleep = atomic.load<i32>(block + SLEEPING) === count - 1;
  return asleep && work < smallWork * ASLEEP ? 1 : count;
}

/** Where part `part` of `parts` of `count` things begins; each but the last begins at a multiple of `unit`. */
export function first(count: i32, part: i32, parts: i32, unit: i32 = 1): i32 {
  const units = (count + unit - 1) / unit;
  return min(count, <i32>((<i64>units * part) / parts) * unit);
}

/** Begins a job of a kind in `jobs.ts`; its arguments follow by `put` and `putFloat`, then `launch`. */
export function begin(kind: i32): void {
  store<i32>(block + KIND, kind);
  writing = block + ARGUMENTS;
}

export function put(value: usize): void {
  store<usize>(writing, value);
  writing += 4;
}

export function putFloat(value: f32): void {
  store<f32>(writing, value);
  writing += 4;
}

/** An argument of the current job, by its place. */
export function argument(place: i32): usize {
  return load<usize>(block + ARGUMENTS + ((<usize>place) << 2));
}

export function floatArgument(place: i32): f32 {
  return load<f32>(block + ARGUMENTS + ((<usize>place) << 2));
}

/** Runs the job that was begun, in `parts`, and returns when all of them are done. */
export function launch(parts: i32): void {
  if (parts === 1) {
    runPart(load<i32>(block + KIND), 0, 1, 0);
    return;
  }
  store<i32>(block + PARTS, parts);
  atomic.store<i32>(block + LEFT, parts);
  atomic.add<i32>(block + EPOCH, 1);
  if (atomic.load<i32>(block + SLEEPING) > 0) atomic.notify(block + EPOCH, parts - 1);
  takeParts(0);
  while (atomic.load<i32>(block + ACTIVE) !== 0) {}
}

/** One word says whether there is work and which: a helper that is late finds it at zero or below. */
function takeParts(thread: i32): void {
  for (;;) {
    const left = atomic.sub<i32>(block + LEFT, 1);
    if (left <= 0) return;
    runPart(load<i32>(block + KIND), left - 1, load<i32>(block + PARTS), thread);
  }
}

/** A helper's wait for the next job; it may also return without one. */
export function awaitJob(): void {
  for (let spins = SPINS; spins > 0; spins--) {
    if (atomic.load<i32>(block + LEFT) > 0) return;
  }
  atomic.add<i32>(block + SLEEPING, 1);
  const epoch = atomic.load<i32>(block + EPOCH);
  if (atomic.load<i32>(block + LEFT) <= 0) atomic.wait<i32>(block + EPOCH, epoch, -1);
  atomic.sub<i32>(block + SLEEPING, 1);
}

/** A helper's share of the job, if one is left. @param thread its number, from 1 */
export function joinJob(thread: i32): void {
  atomic.add<i32>(block + ACTIVE, 1);
  takeParts(thread);
  atomic.sub<i32>(block + ACTIVE, 1);
}
