import { BackendError } from '@mmllm/core';
import type { Gpu } from './gpu';

/** How a workgroup of an attention shader goes through its work. */
export interface Tiling {
  /** Items that a workgroup owns: rows of queries, or keys. */
  readonly rows: number;
  /** Lanes for each of them. */
  readonly perRow: number;
  /** Items of the other side that it takes at a time; a multiple of `perRow`. */
  readonly columns: number;
  /** Floats of a head in fours, the last of them filled up. */
  readonly quads: number;
}

interface Wanted {
  /** How many items there are to own. */
  readonly items: number;
  readonly headSize: number;
  /** Tensors of which a workgroup keeps its own items. */
  readonly ownTiles: number;
}

/**
 * The largest tiles for which the device has memory and lanes.
 *
 * @throws {BackendError} if not even one row fits, which takes heads of more than a thousand floats.
 */
export function tilingFor({ limits }: Gpu, { items, headSize, ownTiles }: Wanted): Tiling {
  const quads = Math.ceil(headSize / 4);
  const fits = ({ rows, perRow, columns }: Omit<Tiling, 'quads'>) => {
    const floats = 4 * quads * (ownTiles * rows + columns) + rows * columns + rows * perRow;
    // Some bytes for what else there is.
    return (
      4 * floats + 64 <= limits.maxComputeWorkgroupStorageSize &&
      rows * perRow <= limits.maxComputeInvocationsPerWorkgroup
    );
  };
  for (let rows = Math.min(32, 2 ** Math.ceil(Math.log2(Math.max(1, items)))); rows >= 1; rows /= 2) {
    // Few rows share their lanes; thin tiles are worse than fewer rows.
    for (let columns = 32; columns >= Math.max(1, rows / 4); columns /= 2) {
      const perRow = Math.min(Math.max(4, 64 / rows), columns);
      if (fits({ rows, perRow, columns })) return { rows, perRow, columns, quads };
    }
  }
  throw new BackendError({
    component: 'mmllm/Attention on webgpu',
    expected: `heads that fit ${limits.maxComputeWorkgroupStorageSize} bytes of workgroup memory`,
    actual: `${headSize} floats`,
  });
}

/** What a shader's name has to say about its tiling. */
export const tilingName = ({ rows, perRow, columns }: Tiling, headSize: number): string =>
  `${rows} × ${columns} by ${perRow}, heads of ${headSize}`;
