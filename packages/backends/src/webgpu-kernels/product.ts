import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from './gpu';
import { skinnyCode, tiledCode } from './product-code';
import type { Program } from './program';

/** A product of matrices, or of batches of them. */
export interface Product {
  /** float32[batchA, rows, depth], or [batchA, depth, rows] if transposed */
  readonly a: TensorInfo;
  /** float32[batchB, depth, columns], or [batchB, columns, depth] if transposed */
  readonly b: TensorInfo;
  /** float32[columns], added to every row */
  readonly bias?: TensorInfo;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Equal, or one of them 1. */
  readonly batchA: number;
  readonly batchB: number;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  /** Shape of the result, which is float32[batch, rows, columns]. */
  readonly shape: readonly number[];
}

/** Up to this many rows, the whole left side is read by every workgroup and nothing is put in tiles. */
const SKINNY_ROWS = 4;

/** Below this many workgroups, smaller tiles keep more of a GPU busy. */
const ENOUGH_GROUPS = 64;

/** Runs a product of any sizes. Edges are looked after in the shader, and neither side is copied or transposed. */
export function multiply(gpu: Gpu, product: Product): TensorInfo {
  return gpu.run(product.rows <= SKINNY_ROWS ? skinny(gpu, product) : tiled(gpu, product));
}

function tiled(gpu: Gpu, product: Product): Program {
  const { rows, columns } = product;
  const batches = Math.max(product.batchA, product.batchB);
  const tilesOf = (tile: number) => batches * Math.ceil(rows / tile) * Math.ceil(columns / tile);
  const tile = gpu.lanes(256) === 256 && tilesOf(64) >= ENOUGH_GROUPS ? 64 : 32;
  const isHalf = gpu.settings.precision === 'float16';
  return {
    ...common(product, `${tile} × ${tile}${isHalf ? ' of float16' : ''}`),
    lanes: (tile / 4) ** 2,
    groups: tilesOf(tile),
    code: () => tiledCode({ ...textOf(product), tile, isHalf }),
  };
}

function skinny(gpu: Gpu, product: Product): Program {
  const lanes = gpu.lanes(256);
  // Neighbouring lanes read neighbouring floats of the right side.
  const columnsAtOnce = product.transposeB ? 8 : 32;
  const batches = Math.max(product.batchA, product.batchB);
  return {
    ...common(product, `${lanes} lanes`),
    lanes,
    groups: batches * Math.ceil(product.columns / columnsAtOnce),
    code: () => skinnyCode({ ...textOf(product), lanes, columnsAtOnce }),
  };
}

/** What the texts depend on. */
const textOf = ({ transposeA, transposeB, bias }: Product) => ({
  transposeA,
  transposeB,
  hasBias: bias !== undefined,
});

function common({ a, b, bias, ...product }: Product, kind: string) {
  const { transposeA, transposeB, batchA, batchB, rows, depth, columns, shape } = product;
  const variant = `${transposeA ? 'Aᵀ' : 'A'}·${transposeB ? 'Bᵀ' : 'B'}${bias ? ' + bias' : ''}`;
  return {
    name: `${variant}, ${kind}`,
    inputs: { a, b, ...(bias && { bias }) },
    shape,
    ints: {
      batches: Math.max(batchA, batchB),
      rows,
      depth,
      columns,
      // From one matrix of a batch to the next.
      stepA: batchA === 1 ? 0 : rows * depth,
      stepB: batchB === 1 ? 0 : depth * columns,
    },
  };
}
