/** Rows of a block. */
const BLOCK = 64;

/**
 * For how many rows a cache makes room that is to hold `needed`: an eighth more, in whole blocks, at most `capacity`. So it
 * never has much more than it needs, and a row is copied about nine times however long a text grows, which is nothing
 * beside attention, which reads it at every step.
 */
export function rowsWithRoom(needed: number, capacity: number): number {
  return Math.min(Math.ceil((needed + needed / 8) / BLOCK) * BLOCK, capacity);
}
