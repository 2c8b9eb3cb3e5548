import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineKernel } from './define-op';

export interface AdamWOptions {
  readonly learningRate: number;
  /** Decay of the mean of gradients, in [0, 1). */
  readonly beta1: number;
  /** Decay of the mean of squared gradients, in [0, 1). */
  readonly beta2: number;
  readonly eps: number;
  /** Share of the parameter, times the learning rate, that each step takes away. */
  readonly weightDecay: number;
  /** Number of this step, from 1. */
  readonly step: number;
}

/** All float32 of the parameter's shape. A type alias, which `tf.tidy` accepts as a result. */
export type AdamWState = {
  readonly parameter: tf.Tensor;
  readonly m: tf.Tensor;
  readonly v: tf.Tensor;
};

export interface AdamWStep extends AdamWState, AdamWOptions {
  readonly gradient: tf.Tensor;
  /** float32 scalar that the gradient is multiplied by first, as clipping by the global norm does. */
  readonly scale?: tf.Scalar;
}

interface AdamWInputs {
  parameter: tf.Tensor;
  gradient: tf.Tensor;
  m: tf.Tensor;
  v: tf.Tensor;
  scale?: tf.Tensor;
}

/** Outputs: the new parameter, m and v. */
const update = defineKernel<AdamWInputs, AdamWOptions>({
  name: 'mmllm/AdamW',
  reference: ({ parameter, gradient, m, v, scale }, options) => {
    const { learningRate, beta1, beta2, eps, weightDecay, step } = options;
    const [share1, share2] = scale
      ? [tf.mul(scale, 1 - beta1), tf.mul(tf.square(scale), 1 - beta2)]
      : [1 - beta1, 1 - beta2];
    const newM = tf.add(tf.mul(m, beta1), tf.mul(gradient, share1));
    const newV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), share2));
    // √(v / c) + eps, with c the bias correction, is (√v + eps·√c) / √c: one pass less over the parameter.
    const correction = Math.sqrt(1 - beta2 ** step);
    const rate = (learningRate * correction) / (1 - beta1 ** step);
    const move = tf.div(newM, tf.add(tf.sqrt(newV), eps * correction));
    const decayed = weightDecay === 0 ? parameter : tf.mul(parameter, 1 - learningRate * weightDecay);
    return [tf.sub(decayed, tf.mul(move, rate)), newM, newV];
  },
});

/**
 * One step of AdamW (Loshchilov & Hutter, arXiv:1711.05101) as `torch.optim.AdamW` takes it: decoupled decay, both
 * means corrected for their start at zero. Nothing is assigned; the caller owns the three results.
 *
 * @throws ShapeError if gradient, m or v differ from the parameter in shape.
 */
export function adamwStep({ parameter, gradient, m, v, scale, ...options }: AdamWStep): AdamWState {
  for (const [name, tensor] of Object.entries({ gradient, m, v })) {
    if (!tf.util.arraysEqual(tensor.shape, parameter.shape)) {
      throw new ShapeError({
        component: 'adamwStep',
        expected: `${name} of ${shapeText(parameter.shape)}`,
        actual: shapeText(tensor.shape),
      });
    }
  }
  const [newParameter, newM, newV] = update({ parameter, gradient, m, v, scale }, options);
  return { parameter: newParameter!, m: newM!, v: newV! };
}
