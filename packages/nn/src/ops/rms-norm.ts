import * as tf from '@tensorflow/tfjs-core';
import { checkWidth } from './checks';
import { defineKernel, defineOp } from './define-op';
import { asRows, sumOfRows } from './rows';

interface NormAttrs {
  eps: number;
  offset: 0 | 1;
}

interface NormInputs {
  x: tf.Tensor;
  gain: tf.Tensor;
}

const factor = (gain: tf.Tensor, offset: 0 | 1) => (offset ? tf.add(gain, offset) : gain);

/** `dx = (g − x · mean(g·x)/rms²) / rms` with `g = dy · (offset + gain)`. */
const inputGradient = defineKernel<NormInputs & { dy: tf.Tensor; inverseRms: tf.Tensor }, { offset: 0 | 1 }>({
  name: 'mmllm/RmsNormGrad',
  reference: ({ dy, x, gain, inverseRms }, { offset }) => {
    const rows = asRows(x);
    const g = tf.mul(asRows(dy), factor(gain, offset));
    const along = tf.mul(tf.mul(tf.sum(tf.mul(g, rows), -1, true), tf.square(inverseRms)), 1 / gain.size);
    return tf.reshape(tf.mul(tf.sub(g, tf.mul(rows, along)), inverseRms), x.shape);
  },
});

/** `dGain = Σ over rows of dy · x / rms`. */
const gainGradient = defineKernel<{ dy: tf.Tensor; x: tf.Tensor; inverseRms: tf.Tensor }, object>({
  name: 'mmllm/RmsNormGainGrad',
  reference: ({ dy, x, inverseRms }) => sumOfRows(tf.mul(asRows(dy), asRows(x)), asRows(inverseRms)),
});

/** Outputs: the result, and `1 / √(mean(x²) + eps)` of every row, float32[R, 1]. */
const normalize = defineOp<NormInputs, NormAttrs, 'x' | 'gain'>({
  name: 'mmllm/RmsNorm',
  reference: ({ x, gain }, { eps, offset }) => {
    const rows = asRows(x);
    const meanSquare = tf.mul(tf.sum(tf.square(rows), -1, true), 1 / gain.size);
    const inverseRms = tf.rsqrt(tf.add(meanSquare, eps));
    return [tf.reshape(tf.mul(tf.mul(rows, inverseRms), factor(gain, offset)), x.shape), inverseRms];
  },
  inputsToSave: ['x', 'gain'],
  outputsToSave: [false, true],
  backward: ({ dy, inputs: { x, gain }, outputs, attrs: { offset } }) => {
    const inverseRms = outputs[0]!;
    return {
      x: () => inputGradient({ dy, x, gain, inverseRms }, { offset })[0]!,
      gain: () => gainGradient({ dy, x, inverseRms }, {})[0]!,
    };
  },
});

/**
 * Root-mean-square normalisation over the last axis: `x / √(mean(x²) + eps) · (offset + gain)` (Zhang & Sennrich,
 * arXiv:1910.07467; the offset is Gemma's). The caller owns the result.
 *
 * @param x float32[…, D]
 * @param gain float32[D]
 * @param options offset 1 is for gains that are stored as their difference from one. Default 0.
 * @throws ShapeError if sizes do not fit.
 */
export function rmsNorm<T extends tf.Tensor>(
  x: T,
  gain: tf.Tensor,
  eps: number,
  { offset = 0 }: { readonly offset?: 0 | 1 } = {},
): T {
  checkWidth('rmsNorm', x, { gain });
  // Normalisation keeps the shape.
  return normalize({ x, gain }, { eps, offset }) as T;
}
