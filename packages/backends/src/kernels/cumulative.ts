import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_NAMES } from '../names';
import { attrsOf, type KernelFix, tensorsOf } from './fix';

/** tfjs hands negative axes to kernels that only understand positive ones; webgpu's cannot run backwards either. */
const cumulativeFix = (kernelName: string): KernelFix => ({
  kernelName,
  backends: BACKEND_NAMES,
  reason:
    'with a negative axis the stock kernel returns nothing, throws, or writes over other tensors; ' +
    'in reverse it is wrong on webgpu',
  create: (stock, backendName) => (params) => {
    const { x } = tensorsOf<{ x: tf.Tensor }>(params);
    const { exclusive, reverse, ...given } = attrsOf<tf.CumsumAttrs>(params);
    const axis = given.axis < 0 ? given.axis + x.rank : given.axis;
    if (!reverse || backendName !== 'webgpu')
      return stock({ ...params, attrs: { axis, exclusive, reverse } });
    return tf.tidy(() => {
      const attrs = { axis, exclusive, reverse: false };
      const forward: tf.Tensor = tf.engine().runKernel(kernelName, { x: tf.reverse(x, axis) }, attrs);
      return tf.reverse(forward, axis);
    });
  },
});

export const cumsumFix = cumulativeFix(tf.Cumsum);
export const cumprodFix = cumulativeFix(tf.Cumprod);
