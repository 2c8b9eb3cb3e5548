import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { activateGradient } from './activate';
import { type Activation, activationValue } from './activations';
import { shapeText } from './checks';
import { columnSums } from './column-sums';
import { defineOp } from './define-op';
import { matmul } from './matmul';
import { asRows } from './rows';

interface LinearInputs {
  x: tf.Tensor;
  weight: tf.Tensor;
  bias?: tf.Tensor;
  residual?: tf.Tensor;
}

export interface LinearOptions {
  /** float32[Out] */
  readonly bias?: tf.Tensor;
  readonly activation?: Activation;
  /** float32[…, Out], added last. */
  readonly residual?: tf.Tensor;
}

/** Outputs: the result, and with an activation also what went into it. */
const apply = defineOp<LinearInputs, { activation?: Activation }, 'x' | 'weight'>({
  name: 'mmllm/Linear',
  reference: ({ x, weight, bias, residual }, { activation }) => {
    const rows = asRows(x);
    const product = bias ? tf.fused.matMul({ a: rows, b: weight, bias }) : tf.matMul(rows, weight);
    const out = tf.reshape(product, [...x.shape.slice(0, -1), weight.shape[1]!]);
    const activated = activation ? activationValue(out, activation) : out;
    const result = residual ? tf.add(activated, residual) : activated;
    return activation ? [result, out] : result;
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
      residual: () => tf.clone(dy),
    };
  },
});

/**
 * `activation(x · weight + bias) + residual`. Gradients of inputs that nothing trained depends on are not computed, so a
 * frozen weight costs nothing in the backward pass. The caller owns the result.
 *
 * @param x float32[…, In]
 * @param weight float32[In, Out]: the transpose of a PyTorch weight, so that the forward pass is the plain product.
 * @throws ShapeError if sizes do not fit.
 */
export function linear<T extends tf.Tensor>(
  x: T,
  weight: tf.Tensor,
  { bias, activation, residual }: LinearOptions = {},
): T {
  const [inSize, outSize] = weight.shape;
  if (weight.rank !== 2 || x.rank === 0 || x.shape.at(-1) !== inSize) {
    throw new ShapeError({
      component: 'linear',
      expected: `x of [..., ${inSize}] for a weight of [In, Out]`,
      actual: `x ${shapeText(x.shape)}, weight ${shapeText(weight.shape)}`,
    });
  }
  checkShape('a bias', bias, [outSize!]);
  checkShape('a residual', residual, [...x.shape.slice(0, -1), outSize!]);
  // Only the last size changes.
  return apply({ x, weight, bias, residual }, { activation }) as T;
}

function checkShape(what: string, given: tf.Tensor | undefined, wanted: readonly number[]): void {
  if (!given || tf.util.arraysEqual(given.shape, [...wanted])) return;
  throw new ShapeError({
    component: 'linear',
    expected: `${what} of ${shapeText(wanted)}`,
    actual: shapeText(given.shape),
  });
}
