import type { Call } from './call';

/** About so many bytes are in scratch memory at once: they stay in the cache until they are used. */
const PART_BYTES = 2 ** 22;
/** So many rows at least, and a multiple of it: whole lines of the cache, and whole panels. */
const ROWS = 16;

/** A part of the rows, at an address of the module's memory. */
export interface ScratchRows {
  readonly from: number;
  readonly first: number;
  readonly rows: number;
}

/** Brings rows of host data into scratch memory, part by part. */
export function throughScratch(
  withScratch: Call<unknown, unknown>['withScratch'],
  values: ArrayLike<number> & ArrayBufferView,
  width: number,
  use: (part: ScratchRows) => void,
): void {
  const rowBytes = (values.byteLength / values.length) * width;
  const all = values.length / width;
  const step = Math.max(1, Math.floor(PART_BYTES / rowBytes / ROWS)) * ROWS;
  withScratch(Math.min(step, all) * rowBytes, (from, { buffer }) => {
    const memory = new Uint8Array(buffer);
    for (let first = 0; first < all; first += step) {
      const rows = Math.min(step, all - first);
      memory.set(new Uint8Array(values.buffer, values.byteOffset + first * rowBytes, rows * rowBytes), from);
      use({ from, first, rows });
    }
  });
}
