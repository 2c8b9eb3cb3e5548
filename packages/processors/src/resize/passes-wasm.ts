import type { Picture } from '@mmllm/core';
import type { Coefficients } from './coefficients';
import { resizeModule } from './generated/module';

/** Bytes of the picture that are in the module's memory at a time: as many rows, and at least one. */
const chunkBytes = 1 << 16;
/** Where one row and the weights take more, the pass in TypeScript does it. */
const mostBytes = 32 << 20;
const pageBytes = 1 << 16;

/** What `assembly/index.ts` exports. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly acrossRows: (...values: number[]) => void;
}

let opened: Exports | null | undefined;

/** Null where WebAssembly or its vectors are missing, or a page forbids them. */
function open(): Exports | null {
  if (opened !== undefined) return opened;
  try {
    const bytes = Uint8Array.from(atob(resizeModule), (character) => character.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    opened = exports as unknown as Exports;
  } catch {
    opened = null;
  }
  return opened;
}

/**
 * `acrossRows` of `passes.ts` with vectors, a few rows at a time: the same bytes, about six times as fast.
 * @returns undefined where there is no WebAssembly, or rows are too long for it.
 */
export function acrossRowsInWasm(
  { data, width }: Picture,
  { start, count, weights, stride }: Coefficients,
  firstRow: number,
  endRow: number,
): Uint8Array | undefined {
  const outputs = start.length;
  const rowBytes = width * 3;
  const chunk = Math.min(endRow - firstRow, Math.max(1, Math.floor(chunkBytes / rowBytes)));
  const starts = 0;
  const counts = starts + start.byteLength;
  const taps = counts + count.byteLength;
  const input = taps + weights.byteLength;
  // Pixels are read and written as four bytes.
  const output = input + chunk * rowBytes + 1;
  const total = output + chunk * outputs * 3 + 1;
  const module = total <= mostBytes ? open() : null;
  if (!module) return undefined;
  const { memory } = module;
  const missing = total - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
  const heap = new Uint8Array(memory.buffer);
  new Int32Array(memory.buffer, starts, start.length).set(start);
  new Int32Array(memory.buffer, counts, count.length).set(count);
  new Int32Array(memory.buffer, taps, weights.length).set(weights);
  const result = new Uint8Array((endRow - firstRow) * outputs * 3);
  for (let row = firstRow; row < endRow; row += chunk) {
    const rows = Math.min(chunk, endRow - row);
    heap.set(data.subarray(row * rowBytes, (row + rows) * rowBytes), input);
    module.acrossRows(output, input, rows, width, outputs, starts, counts, taps, stride);
    result.set(heap.subarray(output, output + rows * outputs * 3), (row - firstRow) * outputs * 3);
  }
  return result;
}
