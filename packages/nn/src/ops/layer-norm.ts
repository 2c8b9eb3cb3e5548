import * as tf from '@tensorflow/tfjs-core';
import { checkWidth } from './checks';
import { columnSums } from './column-sums';
import { defineKernel, defineOp } from './define-op';
import { asRows, sumOfRows } from './rows';

interface NormInputs {
  x: tf.Tensor;
  gain: tf.Tensor;
  bias?: tf.Tensor;
}

interface GradientInputs {
  dy: tf.Tensor;
  x: tf.Tensor;
  /** float32[R, 1] */
  mean: tf.Tensor;
  /** float32[R, 1]: 1 / √(variance + eps) */
  inverseDeviation: tf.Tensor;
}

/** `dx = (g − mean(g) − c · mean(g·c)/σ²) / σ` with `g = dy · gain` and `c = x − mean(x)`. */
const inputGradient = defineKernel<GradientInputs & { gain: tf.Tensor }, object>({
  name: 'mmllm/LayerNormGrad',
  reference: ({ dy, x, mean, inverseDeviation, gain }) => {
    const width = gain.size;
    const g = tf.mul(asRows(dy), gain);
    const centered = tf.sub(asRows(x), mean);
    const meanOfG = tf.mul(tf.sum(g, -1, true), 1 / width);
    const along = tf.mul(
      tf.mul(tf.sum(tf.mul(g, centered), -1, true), tf.square(inverseDeviation)),
      1 / width,
    );
    const dx = tf.mul(tf.sub(tf.sub(g, meanOfG), tf.mul(centered, along)), inverseDeviation);
    return tf.reshape(dx, x.shape);
  },
});

/** `dGain = Σ over rows of dy · (x − mean) / σ`. */
const gainGradient = defineKernel<GradientInputs, object>({
  name: 'mmllm/LayerNormGainGrad',
  reference: ({ dy, x, mean, inverseDeviation }) =>
    sumOfRows(tf.mul(asRows(dy), tf.sub(asRows(x), mean)), asRows(inverseDeviation)),
});

/** Outputs: the result, and the mean and inverse deviation of every row, float32[R, 1]. */
const normalize = defineOp<NormInputs, { eps: number }, 'x' | 'gain'>({
  name: 'mmllm/LayerNorm',
  reference: ({ x, gain, bias }, { eps }) => {
    const rows = asRows(x);
    const width = gain.size;
    const mean = tf.mul(tf.sum(rows, -1, true), 1 / width);
    const centered = tf.sub(rows, mean);
    const variance = tf.mul(tf.sum(tf.square(centered), -1, true), 1 / width);
    const inverseDeviation = tf.rsqrt(tf.add(variance, eps));
    const scaled = tf.mul(tf.mul(centered, inverseDeviation), gain);
    return [tf.reshape(bias ? tf.add(scaled, bias) : scaled, x.shape), mean, inverseDeviation];
  },
  inputsToSave: ['x', 'gain'],
  outputsToSave: [false, true, true],
  backward: ({ dy, inputs: { x, gain }, outputs }) => {
    const [mean, inverseDeviation] = [outputs[0]!, outputs[1]!];
    return {
      x: () => inputGradient({ dy, x, mean, inverseDeviation, gain }, {})[0]!,
      gain: () => gainGradient({ dy, x, mean, inverseDeviation }, {})[0]!,
      bias: () => columnSums(dy),
    };
  },
});

/**
 * Layer normalisation over the last axis with the biased variance: `(x − mean) / √(variance + eps) · gain + bias`
 * (Ba et al., arXiv:1607.06450). The caller owns the result.
 *
 * @param x float32[…, D]
 * @param gain float32[D], ones if left out
 * @param bias float32[D], zeros if left out
 * @throws ShapeError if sizes do not fit.
 */
export function layerNorm<T extends tf.Tensor>(
  x: T,
  gain: tf.Tensor | undefined,
  bias: tf.Tensor | undefined,
  eps: number,
): T {
  checkWidth('layerNorm', x, { gain, bias });
  // An input that is saved for the gradient cannot be left out, so there is always a gain. The shape is that of x.
  return tf.tidy(() => normalize({ x, gain: gain ?? tf.ones([x.shape.at(-1)!]), bias }, { eps }) as T);
}
