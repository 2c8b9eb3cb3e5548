import type { HostArray } from '../host-array';

/** Rows of one length, int32[B, T]; the shorter ones are filled up on a side. */
export function padRows(
  rows: readonly ArrayLike<number>[],
  length: number,
  filler: number,
  side: 'left' | 'right',
): HostArray<Int32Array> {
  const data = new Int32Array(rows.length * length).fill(filler);
  rows.forEach((row, b) => {
    data.set(row, b * length + (side === 'left' ? length - row.length : 0));
  });
  return { data, shape: [rows.length, length] };
}
