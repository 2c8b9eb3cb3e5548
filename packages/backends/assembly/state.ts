/** What the module keeps in the memory of tfjs: a block for its threads, and the table of constants. */
import { attachConstants, CONSTANTS_SIZE, fillConstants } from './constants';
import { attachThreads, clearThreads, THREADS_SIZE } from './threads';

/** Bytes of it. */
export const STATE_SIZE: i32 = <i32>(THREADS_SIZE + CONSTANTS_SIZE);

/**
 * Fills the memory at `state`, which stays the module's. To be called by the main thread, before anything else, and
 * again before each pool of threads.
 */
export function initialize(state: usize): void {
  attach(state);
  fillConstants();
  clearThreads();
}

/** Joins the main thread's module, which has filled the memory at `state`. */
export function attach(state: usize): void {
  attachThreads(state);
  attachConstants(state + THREADS_SIZE);
}
