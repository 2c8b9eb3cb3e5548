import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_NAMES } from '../names';
import { attrsOf, type KernelFix, tensorsOf } from './fix';

/** The stock kernels repeat the shorter list of batches, which is right only if it holds one. */
export const batchMatMulFix: KernelFix = {
  kernelName: tf.BatchMatMul,
  backends: BACKEND_NAMES,
  reason: 'where both sides are broadcast along a batch axis, the stock kernel pairs the wrong matrices',
  create: (stock) => (params) => {
    const { a, b } = tensorsOf<Record<'a' | 'b', tf.Tensor>>(params);
    const [batchA, batchB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
    const isSingle = [batchA, batchB].some((batch) => tf.util.sizeFromShape(batch) === 1);
    if (isSingle || tf.util.arraysEqual(batchA, batchB)) return stock(params);
    const { transposeA, transposeB } = attrsOf<tf.BatchMatMulAttrs>(params);
    const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
    return tf.tidy(() => {
      const [allA, allB] = [a, b].map((side) => tf.broadcastTo(side, [...batch, ...side.shape.slice(-2)]));
      return tf.matMul(allA!, allB!, transposeA, transposeB);
    });
  },
};
