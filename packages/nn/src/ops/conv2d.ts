import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { linear } from './linear';

export interface Conv2dOptions {
  /** Pixels from one place of the kernel to the next. Default 1. */
  readonly stride?: number;
  /** float32[Out] */
  readonly bias?: tf.Tensor;
}

/**
 * A convolution with a square kernel, with zeros around the borders, so that stride 1 keeps height and width. Where the
 * zeros are odd in number, as with a kernel of 3 and a stride of 2 over even sides, the extra ones are at the bottom and
 * at the right. The caller owns the result.
 *
 * @param x float32[B, H, W, In]
 * @param weight float32[side² · In, Out], the kernel (row, column, channel)
 * @returns float32[B, ⌈H / stride⌉, ⌈W / stride⌉, Out]
 * @throws ShapeError if sizes do not fit.
 */
export function conv2d(
  x: tf.Tensor4D,
  weight: tf.Tensor2D,
  { stride = 1, bias }: Conv2dOptions = {},
): tf.Tensor4D {
  const [rows, outputs] = weight.shape;
  const channels = x.shape[3];
  const side = Math.sqrt(rows / channels);
  const fits = !bias || tf.util.arraysEqual(bias.shape, [outputs]);
  if (x.rank !== 4 || !Number.isInteger(side) || !fits) {
    throw new ShapeError({
      component: 'conv2d',
      expected: 'x of [B, H, W, In], a weight of [side² · In, Out] and a bias of [Out]',
      actual: [x, weight, bias].map((tensor) => (tensor ? shapeText(tensor.shape) : 'none')).join(', '),
    });
  }
  if (side === 1 && stride === 1) return linear(x, weight, { bias });
  return tf.tidy(() => {
    const kernel = tf.reshape<tf.Rank.R4>(weight, [side, side, channels, outputs]);
    const sums = tf.conv2d(x, kernel, stride, 'same');
    return bias ? tf.add(sums, bias) : sums;
  });
}
