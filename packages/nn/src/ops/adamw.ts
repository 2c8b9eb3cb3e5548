import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineKernel } from './define-op';

/** One array of weights, with its own place in the training. All tensors are float32 of the parameter's shape. */
export interface AdamWTarget {
  readonly parameter: tf.Variable;
  /** Running means of the gradient and of its square, zeros before the first step. */
  readonly m: tf.Variable;
  readonly v: tf.Variable;
  readonly gradient: tf.Tensor;
  readonly learningRate: number;
  /** Share of the parameter, times the learning rate, that each step takes away. */
  readonly weightDecay: number;
  /** Number of this step, from 1. */
  readonly step: number;
}

/** What all targets have in common. */
export interface AdamWOptions {
  /** Decay of the mean of gradients, in [0, 1). */
  readonly beta1: number;
  /** Decay of the mean of squared gradients, in [0, 1). */
  readonly beta2: number;
  readonly eps: number;
  /** What gradients are multiplied by first, as clipping by the global norm does. Default 1. */
  readonly scale?: number;
}

interface AdamWInputs {
  parameter: tf.Tensor;
  gradient: tf.Tensor;
  m: tf.Tensor;
  v: tf.Tensor;
  /** float32 scalar */
  scale?: tf.Tensor;
}

type AdamWAttrs = Omit<AdamWOptions, 'scale'> & Pick<AdamWTarget, 'learningRate' | 'weightDecay' | 'step'>;

/**
 * Outputs: the new parameter, m and v. A backend's kernel may write them where the old ones lie, and return the same
 * data once more, as long as nothing but the variable holds that data.
 */
const step = defineKernel<AdamWInputs, AdamWAttrs>({
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
 * means corrected for their start at zero. Parameters, m and v are assigned, in place where the backend can and nobody
 * holds a clone; clones keep their values. Gradients stay the caller's.
 *
 * @throws ShapeError if gradient, m or v differ from their parameter in shape; then nothing has changed.
 */
export function adamwUpdate(targets: readonly AdamWTarget[], { scale = 1, ...options }: AdamWOptions): void {
  targets.forEach(checkShapes);
  tf.tidy(() => {
    const factor = scale === 1 ? undefined : tf.scalar(scale);
    for (const { parameter, gradient, m, v, ...own } of targets) {
      // One at a time: where nothing is written in place, no more than one of them is held twice.
      tf.tidy(() => {
        const results = step({ parameter, gradient, m, v, scale: factor }, { ...options, ...own });
        [parameter, m, v].forEach((variable, i) => {
          variable.assign(results[i]!);
        });
      });
    }
  });
}

function checkShapes({ parameter, gradient, m, v }: AdamWTarget, index: number): void {
  for (const [name, { shape }] of Object.entries({ gradient, m, v })) {
    if (tf.util.arraysEqual(shape, parameter.shape)) continue;
    throw new ShapeError({
      component: `adamwUpdate, target ${index}`,
      expected: `${name} of ${shapeText(parameter.shape)}`,
      actual: shapeText(shape),
    });
  }
}
