import { BackendError, type HeldType, type HeldWeight } from '@mmllm/core';
import type * as tf from '@tensorflow/tfjs-core';

/** What the kernels for held weights are told about one: it counts as a matrix [outputs, inputs]. */
export interface HeldAttrs {
  readonly type: HeldType;
  readonly outputs: number;
  readonly inputs: number;
}

export const heldAttrs = ({ type, shape, inputAxis }: HeldWeight): HeldAttrs => ({
  type,
  outputs: shape[1 - inputAxis]!,
  inputs: shape[inputAxis],
});

/** @throws BackendError if the weight was packed by another backend; the references keep float32. */
export function checkFloat(weight: tf.Tensor): void {
  if (weight.dtype === 'float32') return;
  throw new BackendError({
    component: 'held weights',
    expected: 'a weight that was held on this backend',
    actual: 'one in the packing of another',
    hint: 'Hold it as float32 there, and then anew here.',
  });
}
