import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { activateGradient } from './activate';
import { type Activation, activationValue } from './activations';
import { columnSums } from './column-sums';
import { defineOp } from './define-op';
import { matmul } from './matmul';
import { asRows } from './rows';

interface LinearInputs {
  x: tf.Tensor;
  weight: tf.Tensor;
  bias?: tf.Tensor;
}

/** Outputs: the result, and with an activation also what went into it. */
const apply = defineOp<LinearInputs, { activation?: Activation }, 'x' | 'weight'>({
  name: 'mmllm/Linear',
  reference: ({ x, weight, bias }, { activation }) => {
    const rows = asRows(x);
    const product = bias ? tf.fused.matMul({ a: rows, b: weight, bias }) : tf.matMul(rows, weight);
    const out = tf.reshape(product, [...x.shape.slice(0, -1), weight.shape[1]!]);
    return activation ? [activationValue(out, activation), out] : out;
  },
  inputsToSave: ['x', 'weight'],
  outputsToSave: [false, true],
  backward: ({ dy, inputs: { x, weight }, outputs: [preActivation], attrs: { activation }, share }) => {
    const inner =
      activation && preActivation ? share(() => [activateGradient(dy, preActivation, activation)])[0]! : dy;
    return {
      x: () => tf.reshape(matmul(asRows(inner), weight, { transposeB: true }), x.shape),
      weight: () => matmul(asRows(x), asRows(inner), { transposeA: true }),
      bias: () => columnSums(inner),
    };
  },
});

/**
 * `activation(x · weight + bias)`. Gradients of inputs that nothing trained depends on are not computed, so a frozen
 * weight costs nothing in the backward pass. The caller owns the result.
 *
 * @param x float32[…, In]
 * @param weight float32[In, Out]: the transpose of a PyTorch weight, so that the forward pass is the plain product.
 * @param bias float32[Out]
 * @throws ShapeError if sizes do not fit.
 */
export function linear<T extends tf.Tensor>(
  x: T,
  weight: tf.Tensor,
  bias?: tf.Tensor,
  activation?: Activation,
): T {
  const [inSize, outSize] = weight.shape;
  if (weight.rank !== 2 || x.rank === 0 || x.shape.at(-1) !== inSize) {
    throw new ShapeError({
      component: 'linear',
      expected: `x of [..., ${inSize}] for a weight of [In, Out]`,
      actual: `x [${x.shape.join(', ')}], weight [${weight.shape.join(', ')}]`,
    });
  }
  if (bias && (bias.rank !== 1 || bias.shape[0] !== outSize)) {
    throw new ShapeError({
      component: 'linear',
      expected: `a bias of [${outSize}]`,
      actual: `[${bias.shape.join(', ')}]`,
    });
  }
  // Only the last size changes.
  return apply({ x, weight, bias }, { activation }) as T;
}
