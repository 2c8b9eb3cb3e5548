import { type HeldWeight, WeightError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { columnSums } from '../column-sums';
import { defineKernel, defineOp } from '../define-op';
import { finish, type LinearAttrs, type LinearOptions, unfinish } from '../linear-epilogue';
import { matmul } from '../matmul';
import { asRows } from '../rows';
import { checkFloat, type HeldAttrs, heldAttrs } from './attrs';

interface HeldLinearInputs {
  x: tf.Tensor;
  weight: tf.Tensor;
  bias?: tf.Tensor;
  residual?: tf.Tensor;
}

/** `dx = dy · H` for a held H of [outputs, inputs]. */
const inputGradient = defineKernel<{ dy: tf.Tensor; weight: tf.Tensor }, HeldAttrs>({
  name: 'mmllm/HeldLinearGrad',
  reference: ({ dy, weight }, { inputs }) => {
    checkFloat(weight);
    return tf.reshape(matmul(asRows(dy), weight as tf.Tensor2D), [...dy.shape.slice(0, -1), inputs]);
  },
});

/** Outputs as `mmllm/Linear` has them. */
const apply = defineOp<HeldLinearInputs, HeldAttrs & LinearAttrs, 'weight'>({
  name: 'mmllm/HeldLinear',
  reference: ({ x, weight, bias, residual }, { outputs, activation }) => {
    checkFloat(weight);
    const product = matmul(asRows(x), weight as tf.Tensor2D, { transposeB: true });
    const out = tf.reshape(bias ? tf.add(product, bias) : product, [...x.shape.slice(0, -1), outputs]);
    return finish(out, activation, residual);
  },
  inputsToSave: ['weight'],
  outputsToSave: [false, true],
  backward: (context) => {
    const { dy, inputs, attrs } = context;
    const { type, outputs } = attrs;
    const inner = unfinish(context);
    return {
      x: () =>
        inputGradient({ dy: inner, weight: inputs.weight }, { type, outputs, inputs: attrs.inputs })[0]!,
      weight: () => {
        throw new WeightError({
          component: 'held weights',
          expected: 'float32 weights to train',
          actual: `weights held as ${type}`,
        });
      },
      bias: () => columnSums(inner),
      residual: () => tf.clone(dy),
    };
  },
});

/**
 * `activation(x · Hᵀ + bias) + residual` for a held weight that counts as H of [outputs, inputs], straight from its
 * packing. The weight has no gradient. The caller owns the result.
 *
 * @param x float32[…, inputs]
 */
export function heldLinear<T extends tf.Tensor>(
  x: T,
  weight: HeldWeight,
  { bias, activation, residual }: LinearOptions = {},
): T {
  // Only the last size changes.
  return apply({ x, weight: weight.packed, bias, residual }, { ...heldAttrs(weight), activation }) as T;
}
