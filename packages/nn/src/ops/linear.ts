import { type HeldWeight, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { columnSums } from './column-sums';
import { defineOp, joinedKernel } from './define-op';
import { type HeldAttrs, heldAttrs } from './held/attrs';
import { heldLinear } from './held/linear';
import { finish, type LinearAttrs, type LinearOptions, unfinish } from './linear-epilogue';
import { matmul } from './matmul';
import { asRows } from './rows';

interface LinearInputs {
  x: tf.Tensor;
  weight: tf.Tensor;
  bias?: tf.Tensor;
  residual?: tf.Tensor;
}

/** Outputs: the result, and with an activation also what went into it. */
const apply = defineOp<LinearInputs, LinearAttrs, 'x' | 'weight'>({
  name: 'mmllm/Linear',
  reference: ({ x, weight, bias, residual }, { activation }) => {
    const rows = asRows(x);
    const product = bias ? tf.fused.matMul({ a: rows, b: weight, bias }) : tf.matMul(rows, weight);
    const out = tf.reshape(product, [...x.shape.slice(0, -1), weight.shape[1]!]);
    return finish(out, activation, residual);
  },
  inputsToSave: ['x', 'weight'],
  outputsToSave: [false, true],
  backward: (context) => {
    const { dy, inputs } = context;
    const { x, weight } = inputs;
    const inner = unfinish(context);
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
 * @param weight float32[In, Out]: the transpose of a PyTorch weight, so that the forward pass is the plain product. Or a
 * held weight of that shape, which has no gradient.
 * @throws ShapeError if sizes do not fit.
 */
export function linear<T extends tf.Tensor>(
  x: T,
  weight: tf.Tensor | HeldWeight,
  { bias, activation, residual }: LinearOptions = {},
): T {
  checkSizes(x, weight, { bias, residual });
  if ('packed' in weight) return heldLinear(x, weight, { bias, activation, residual });
  // Only the last size changes.
  return apply({ x, weight, bias, residual }, { activation }) as T;
}

/** A product of `linears`. */
export interface LinearLayer {
  readonly weight: tf.Tensor | HeldWeight;
  readonly bias?: tf.Tensor;
}

/** `x`, and of each layer its weight and its bias; of a held weight what it is in `layers`. */
type JoinedInputs = { x: tf.Tensor } & { [name: `${'weight' | 'bias'}${number}`]: tf.Tensor | undefined };

interface JoinedAttrs {
  readonly layers: readonly (HeldAttrs | undefined)[];
}

/**
 * What several layers make of one input: `linear` for each of them, in one call where the backend has a kernel for that
 * and no gradient is recorded. In decoding a call takes longer than a small product.
 */
export function linears<T extends tf.Tensor>(x: T, layers: readonly LinearLayer[]): T[] {
  const run = joinedKernel<JoinedInputs, JoinedAttrs>('mmllm/Linears');
  if (!run) return layers.map(({ weight, bias }) => linear(x, weight, { bias }));
  const inputs: JoinedInputs = { x };
  for (const [i, { weight, bias }] of layers.entries()) {
    checkSizes(x, weight, { bias });
    inputs[`weight${i}`] = 'packed' in weight ? weight.packed : weight;
    inputs[`bias${i}`] = bias;
  }
  const attrs = { layers: layers.map(({ weight }) => ('packed' in weight ? heldAttrs(weight) : undefined)) };
  return run(inputs, attrs) as T[];
}

function checkSizes(x: tf.Tensor, weight: tf.Tensor | HeldWeight, { bias, residual }: LinearOptions): void {
  const [inSize, outSize] = weight.shape;
  if (weight.shape.length !== 2 || x.rank === 0 || x.shape.at(-1) !== inSize) {
    throw new ShapeError({
      component: 'linear',
      expected: `x of [..., ${inSize}] for a weight of [In, Out]`,
      actual: `x ${shapeText(x.shape)}, weight ${shapeText(weight.shape)}`,
    });
  }
  checkShape('a bias', bias, [outSize!]);
  if (residual) checkShape('a residual', residual, [...x.shape.slice(0, -1), outSize!]);
}

function checkShape(what: string, given: tf.Tensor | undefined, wanted: readonly number[]): void {
  if (!given || tf.util.arraysEqual(given.shape, [...wanted])) return;
  throw new ShapeError({
    component: 'linear',
    expected: `${what} of ${shapeText(wanted)}`,
    actual: shapeText(given.shape),
  });
}
