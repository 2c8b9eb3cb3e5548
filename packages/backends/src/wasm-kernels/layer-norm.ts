import type * as tf from '@tensorflow/tfjs-core';
import { rowsOf, wasmKernel } from './call';

interface NormInputs {
  /** float32[…, D] */
  x: tf.TensorInfo;
  /** float32[D] */
  gain: tf.TensorInfo;
  /** float32[D] */
  bias?: tf.TensorInfo;
}

interface GradientInputs {
  /** float32[…, D] */
  dy: tf.TensorInfo;
  /** float32[…, D] */
  x: tf.TensorInfo;
  /** float32[R, 1] */
  mean: tf.TensorInfo;
  /** float32[R, 1] */
  inverseDeviation: tf.TensorInfo;
}

const REASON = 'rows are normalised while they are in the cache';

/** `mmllm/LayerNorm`: the result, and the mean and inverse deviation of every row, float32[R, 1]. */
export const layerNormKernel = wasmKernel<NormInputs, { eps: number }>(
  'mmllm/LayerNorm',
  REASON,
  ({ inputs: { x, gain, bias }, attrs: { eps }, resultOnly, kernels, address, output, withScratch }) => {
    const { rows, width } = rowsOf(x);
    const out = output(x.shape);
    const run = (means: number, inverses: number) =>
      kernels.layerNorm(
        address(x),
        address(gain),
        bias ? address(bias) : 0,
        eps,
        rows,
        width,
        address(out),
        means,
        inverses,
      );
    if (resultOnly) {
      withScratch(8 * rows, (means) => run(means, means + 4 * rows));
      return out;
    }
    const mean = output([rows, 1]);
    const inverseDeviation = output([rows, 1]);
    run(address(mean), address(inverseDeviation));
    return [out, mean, inverseDeviation];
  },
);

/** `mmllm/LayerNormGrad`: the gradient of x. */
export const layerNormGradKernel = wasmKernel<GradientInputs & { gain: tf.TensorInfo }, object>(
  'mmllm/LayerNormGrad',
  REASON,
  ({ inputs: { dy, x, mean, inverseDeviation, gain }, kernels, address, output }) => {
    const { rows, width } = rowsOf(x);
    const dx = output(x.shape);
    kernels.layerNormGradient(
      address(dy),
      address(x),
      address(mean),
      address(inverseDeviation),
      address(gain),
      rows,
      width,
      address(dx),
    );
    return dx;
  },
);

/** `mmllm/LayerNormGainGrad`: the gradient of the gain, float32[D]. */
export const layerNormGainGradKernel = wasmKernel<GradientInputs, object>(
  'mmllm/LayerNormGainGrad',
  REASON,
  ({ inputs: { dy, x, mean, inverseDeviation }, kernels, address, output }) => {
    const { rows, width } = rowsOf(x);
    const dGain = output([width]);
    kernels.gainGradient(
      address(dy),
      address(x),
      address(mean),
      address(inverseDeviation),
      rows,
      width,
      address(dGain),
    );
    return dGain;
  },
);
