import * as tf from '@tensorflow/tfjs-core';
import { attrsOf, type KernelFix, tensorsOf } from './fix';

/**
 * The gradient of a convolution's filter, float32[KH, KW, C, D], from its input and the gradient of its output: the
 * input's patches, one row for each output pixel, times that gradient (the `im2col` form).
 *
 * @param x float32[B, H, W, C]
 * @param dy float32[B, OH, OW, D]
 */
function filterGradient(x: tf.Tensor4D, dy: tf.Tensor4D, info: tf.backend_util.Conv2DInfo): tf.Tensor4D {
  const { filterHeight, filterWidth, strideHeight, strideWidth, padInfo, outHeight, outWidth } = info;
  // As far as the last patch reaches: with a numeric `pad`, tfjs counts output columns by the filter's height.
  const bottom = (outHeight - 1) * strideHeight + filterHeight - info.inHeight - padInfo.top;
  const right = (outWidth - 1) * strideWidth + filterWidth - info.inWidth - padInfo.left;
  const padded = tf.pad4d(x, [
    [0, 0],
    [padInfo.top, Math.max(0, bottom)],
    [padInfo.left, Math.max(0, right)],
    [0, 0],
  ]);
  const numPixels = info.batchSize * outHeight * outWidth;
  const columns: tf.Tensor2D[] = [];
  for (let row = 0; row < filterHeight; row++) {
    for (let column = 0; column < filterWidth; column++) {
      // For this position of the filter: the input value under it, for every output pixel.
      const begin = [0, row, column, 0];
      const end = [
        info.batchSize,
        row + (outHeight - 1) * strideHeight + 1,
        column + (outWidth - 1) * strideWidth + 1,
        info.inChannels,
      ];
      const under = tf.stridedSlice(padded, begin, end, [1, strideHeight, strideWidth, 1]);
      columns.push(tf.reshape(under, [numPixels, info.inChannels]));
    }
  }
  const patches = tf.concat(columns, 1);
  const product = tf.matMul(patches, tf.reshape(dy, [numPixels, info.outChannels]), true);
  return tf.reshape(product, info.filterShape);
}

/** Composed of other kernels: inside a kernel tfjs records no gradient, so the tape does not see them. */
export const conv2dBackpropFilterFix: KernelFix = {
  kernelName: tf.Conv2DBackpropFilter,
  backends: ['wasm'],
  reason: "missing: the gradient of a convolution's filter",
  create: () => (params) => {
    const { x, dy } = tensorsOf<Record<'x' | 'dy', tf.Tensor4D>>(params);
    const { strides, pad, dimRoundingMode, filterShape } = attrsOf<tf.Conv2DBackpropFilterAttrs>(params);
    const info = tf.backend_util.computeConv2DInfo(x.shape, filterShape, strides, 1, pad, dimRoundingMode);
    return tf.tidy(() => filterGradient(x, dy, info));
  },
};
