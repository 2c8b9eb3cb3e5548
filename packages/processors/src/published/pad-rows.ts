import type { HostArray } from '../host-array';

/** Ids of one length, int32[B, T], and which of them are real. */
export function padRows(
  rows: readonly Int32Array[],
  padId: number,
  side: 'left' | 'right',
): { input_ids: HostArray<Int32Array>; attention_mask: HostArray<Int32Array> } {
  const length = Math.max(...rows.map((row) => row.length));
  const shape = [rows.length, length];
  const ids = new Int32Array(rows.length * length).fill(padId);
  const mask = new Int32Array(ids.length);
  rows.forEach((row, b) => {
    const at = b * length + (side === 'left' ? length - row.length : 0);
    ids.set(row, at);
    mask.fill(1, at, at + row.length);
  });
  return { input_ids: { data: ids, shape }, attention_mask: { data: mask, shape } };
}
