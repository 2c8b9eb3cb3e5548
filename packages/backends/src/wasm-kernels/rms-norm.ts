import type * as tf from '@tensorflow/tfjs-core';
import { rowsOf, wasmKernel } from './call';

interface NormInputs {
  /** float32[…, D] */
  x: tf.TensorInfo;
  /** float32[D] */
  gain: tf.TensorInfo;
}

interface GradientInputs {
  /** float32[…, D] */
  dy: tf.TensorInfo;
  /** float32[…, D] */
  x: tf.TensorInfo;
  /** float32[R, 1] */
  inverseRms: tf.TensorInfo;
}

const REASON = 'rows are normalised while they are in the cache';

/** `mmllm/RmsNorm`: the result, and 1 / √(mean(x²) + eps) of every row, float32[R, 1]. */
export const rmsNormKernel = wasmKernel<NormInputs, { eps: number; offset: 0 | 1 }>(
  'mmllm/RmsNorm',
  REASON,
  ({ inputs: { x, gain }, attrs: { eps, offset }, resultOnly, kernels, address, output, withScratch }) => {
    const { rows, width } = rowsOf(x);
    const out = output(x.shape);
    const run = (inverses: number) =>
      kernels.rmsNorm(address(x), address(gain), offset, eps, rows, width, address(out), inverses);
    if (resultOnly) {
      withScratch(4 * rows, run);
      return out;
    }
    const inverseRms = output([rows, 1]);
    run(address(inverseRms));
    return [out, inverseRms];
  },
);

/** `mmllm/RmsNormGrad`: the gradient of x. */
export const rmsNormGradKernel = wasmKernel<GradientInputs & { gain: tf.TensorInfo }, { offset: 0 | 1 }>(
  'mmllm/RmsNormGrad',
  REASON,
  ({ inputs: { dy, x, gain, inverseRms }, attrs: { offset }, kernels, address, output }) => {
    const { rows, width } = rowsOf(x);
    const dx = output(x.shape);
    kernels.rmsNormGradient(
      address(dy),
      address(x),
      address(gain),
      address(inverseRms),
      offset,
      rows,
      width,
      address(dx),
    );
    return dx;
  },
);

/** `mmllm/RmsNormGainGrad`: the gradient of the gain, float32[D]. */
export const rmsNormGainGradKernel = wasmKernel<GradientInputs, object>(
  'mmllm/RmsNormGainGrad',
  REASON,
  ({ inputs: { dy, x, inverseRms }, kernels, address, output }) => {
    const { rows, width } = rowsOf(x);
    const dGain = output([width]);
    kernels.gainGradient(address(dy), address(x), 0, address(inverseRms), rows, width, address(dGain));
    return dGain;
  },
);
