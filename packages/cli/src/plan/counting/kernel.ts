import type * as tf from '@tensorflow/tfjs-core';

/** New data, or that of a tensor once more. Of float32 unless it says otherwise. */
export type Output =
  | { readonly shape: readonly number[]; readonly dtype?: tf.DataType }
  | { readonly same: tf.TensorInfo; readonly shape: readonly number[] };

/** A call of a kernel. */
export interface KernelCall {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  /** As the kernel documents them: host data of any type. */
  // biome-ignore lint/suspicious/noExplicitAny: each kernel has its own
  readonly attrs: any;
  /** Only the first output is wanted, since no gradient is recorded. */
  readonly resultOnly: boolean;
}

/** What a kernel would make, and the operations that its products take. */
export interface KernelResult {
  readonly outputs: Output | readonly Output[];
  readonly flops?: number;
}

/** A kernel that computes shapes alone. */
export type ShapeKernel = (call: KernelCall) => KernelResult;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, n) => size * n, 1);

/** A product of [m, k] and [k, n]: a multiplication and an addition for each of m · n · k. */
export const productFlops = (m: number, n: number, k: number): number => 2 * m * n * k;

export const one = (output: Output, flops?: number): KernelResult => ({ outputs: output, flops });

/** New data like that of a tensor. */
export const like = ({ shape, dtype }: tf.TensorInfo): Output => ({ shape, dtype });

/** The same data, in another shape maybe. */
export const same = (tensor: tf.TensorInfo, shape: readonly number[] = tensor.shape): Output => ({
  same: tensor,
  shape,
});
