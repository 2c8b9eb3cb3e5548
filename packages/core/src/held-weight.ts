import type { Tensor } from '@tensorflow/tfjs-core';
import type { WeightWriter, WriterOptions } from './weights/writer';

/** What a weight can be held as; computation accumulates in float32. */
export const WEIGHT_TYPES = ['float32', 'bfloat16', 'float16', 'q8', 'q4', 'q4_1'] as const;

/**
 * - `bfloat16`: the upper half of a float32, which loses nothing of a checkpoint published in it
 * - `float16`: IEEE half precision
 * - `q8`, `q4`: 8 or 4 bits in groups of 32 along the input, with one float32 scale for each group
 * - `q4_1`: the same in 4 bits with a minimum for each group, too: closer to the values, and a fifth larger
 */
export type WeightType = (typeof WEIGHT_TYPES)[number];

/** A type that is not float32; such a weight is frozen. */
export type HeldType = Exclude<WeightType, 'float32'>;

/** A matrix in fewer bits than float32. */
export interface HeldWeight {
  readonly type: HeldType;
  /** Of the parameter. */
  readonly shape: readonly [number, number];
  /** Which axis of `shape` the matrix is multiplied along: 0 for a layer of [In, Out], 1 for a table of [V, D]. */
  readonly inputAxis: 0 | 1;
  /** In the packing of the backend it was made on, which alone reads it. Owned by the weight. */
  readonly packed: Tensor;
  /** Memory it takes, in bytes. */
  readonly byteLength: number;
  /** A copy of the values on the host, as they count in a product. */
  read(): Promise<Float32Array>;
  dispose(): void;
}

/** Makes held weights of one type. */
export interface WeightFormat {
  readonly type: HeldType;
  /**
   * @param path of the parameter, for messages
   * @throws WeightError for a value that the type cannot hold.
   */
  hold(values: Float32Array, shape: readonly number[], path: string): HeldWeight;
  /**
   * Holds what comes piece by piece, so that it is never all there as float32. Undefined, or without it, where the
   * format needs the whole weight; `hold` gets it then.
   */
  writer?(
    shape: readonly number[],
    path: string,
    options: WriterOptions,
  ): WeightWriter<HeldWeight> | undefined;
}
