import * as tf from '@tensorflow/tfjs-core';
import { attrsOf, type KernelFix, tensorsOf } from './fix';

/** Pads one axis at a time, seen as the middle one of three. */
function padByAxis(x: tf.Tensor, paddings: readonly [number, number][], value: number): tf.Tensor {
  return paddings.reduce((padded: tf.Tensor, padding, axis) => {
    if (padding[0] === 0 && padding[1] === 0) return padded;
    const [before, size, after] = [
      padded.shape.slice(0, axis),
      padded.shape[axis]!,
      padded.shape.slice(axis + 1),
    ];
    const middle = tf.reshape(padded, [product(before), size, product(after)]);
    const result = tf.pad(middle, [[0, 0], padding, [0, 0]], value);
    return tf.reshape(result, [...before, size + padding[0] + padding[1], ...after]);
  }, tf.clone(x));
}

const product = (sizes: readonly number[]): number => sizes.reduce((total, size) => total * size, 1);

export const padFix: KernelFix = {
  kernelName: tf.PadV2,
  backends: ['webgl', 'webgpu'],
  reason: 'above four axes the stock shader does not compile',
  create: (stock) => (params) => {
    const { paddings, constantValue } = attrsOf<tf.PadV2Attrs>(params);
    if (paddings.length <= 4) return stock(params);
    const { x } = tensorsOf<{ x: tf.Tensor }>(params);
    return tf.tidy(() => padByAxis(x, paddings, constantValue));
  },
};
