import * as tf from '@tensorflow/tfjs-core';
import { defineKernel, defineOp } from './define-op';

/**
 * For kernels: log Σ exp over the last axis, kept as 1. It is max(x) − log of the largest probability: two kernels that
 * are fast everywhere. An infinite maximum is the result itself.
 */
export function logSumExpOfRows(x: tf.Tensor): tf.Tensor {
  const max = tf.max(x, -1, true);
  return tf.where(tf.isFinite(max), tf.sub(max, tf.log(tf.max(tf.softmax(x), -1, true))), max);
}

const gradient = defineKernel<{ dy: tf.Tensor; x: tf.Tensor; out: tf.Tensor }, object>({
  name: 'mmllm/LogSumExpGrad',
  reference: ({ dy, x, out }) => {
    // A row of -Infinity gets weights of zero by its dy, once its softmax is a number.
    const perRow = tf.mul(dy, tf.cast(tf.isFinite(out), 'float32'));
    return tf.mul(tf.softmax(tf.clipByValue(x, LOWEST, -LOWEST)), tf.expandDims(perRow, -1));
  },
});

/** Close to the lowest float32, and representable on backends that write numbers into shaders. */
const LOWEST = -3e38;

const apply = defineOp<{ x: tf.Tensor }, object, 'x'>({
  name: 'mmllm/LogSumExp',
  reference: ({ x }) => tf.squeeze(logSumExpOfRows(x), [-1]),
  inputsToSave: ['x'],
  outputsToSave: [true],
  backward: ({ dy, inputs: { x }, outputs }) => ({ x: () => gradient({ dy, x, out: outputs[0]! }, {})[0]! }),
});

/**
 * log Σ exp(x) over the last axis, float32[…, D] to float32[…]. A row of nothing but -Infinity gives -Infinity, with a
 * gradient of zero. The caller owns the result.
 */
export function logSumExp(x: tf.Tensor): tf.Tensor {
  return apply({ x }, {});
}
