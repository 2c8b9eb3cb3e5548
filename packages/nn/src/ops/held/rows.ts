import type { HeldWeight } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { defineKernel } from '../define-op';
import { checkFloat, type HeldAttrs, heldAttrs } from './attrs';

const takeRows = defineKernel<{ weight: tf.Tensor }, HeldAttrs & { ids: Int32Array }>({
  name: 'mmllm/HeldRows',
  reference: ({ weight }, { ids }) => {
    checkFloat(weight);
    return tf.gather(weight, tf.tensor1d(ids, 'int32'));
  },
});

/** All inputs of some outputs, float32[ids, inputs]: of a table its rows. It has no gradient. The caller owns the result. */
export function heldRows(weight: HeldWeight, ids: Int32Array): tf.Tensor2D {
  return takeRows({ weight: weight.packed }, { ...heldAttrs(weight), ids })[0] as tf.Tensor2D;
}
