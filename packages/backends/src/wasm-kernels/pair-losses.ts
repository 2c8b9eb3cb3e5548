import type * as tf from '@tensorflow/tfjs-core';
import { sizeOf, wasmKernel } from './call';

interface SoftInputs {
  /** float32[N, V] */
  logits: tf.TensorInfo;
  /** float32[N, V] */
  probabilities: tf.TensorInfo;
}

interface PairInputs {
  /** float32[N, M] */
  logits: tf.TensorInfo;
  /** float32[N, M] */
  labels: tf.TensorInfo;
}

const REASON = 'one pass over the memory instead of one for each elementary op';

/** `mmllm/SoftCrossEntropy`: a scalar. */
export const softCrossEntropyKernel = wasmKernel<SoftInputs, object>(
  'mmllm/SoftCrossEntropy',
  REASON,
  ({ inputs: { logits, probabilities }, kernels, address, output, fill }) => {
    const [rows, width] = logits.shape as [number, number];
    const loss = output([]);
    fill(loss, kernels.softCrossEntropy(address(logits), address(probabilities), rows, width, 1 / rows));
    return loss;
  },
);

/** `mmllm/SoftCrossEntropyGrad`: the gradient of the logits. */
export const softCrossEntropyGradKernel = wasmKernel<SoftInputs & { dy: tf.TensorInfo }, object>(
  'mmllm/SoftCrossEntropyGrad',
  REASON,
  ({ inputs: { logits, probabilities, dy }, kernels, address, output, read }) => {
    const [rows, width] = logits.shape as [number, number];
    const out = output(logits.shape);
    kernels.softCrossEntropyGradient(
      address(logits),
      address(probabilities),
      rows,
      width,
      read(dy) / rows,
      address(out),
    );
    return out;
  },
);

/** `mmllm/SigmoidPairLoss`: a scalar. */
export const sigmoidPairLossKernel = wasmKernel<PairInputs, object>(
  'mmllm/SigmoidPairLoss',
  REASON,
  ({ inputs: { logits, labels }, kernels, address, output, fill }) => {
    const loss = output([]);
    const n = sizeOf(logits.shape);
    fill(loss, kernels.sigmoidPairLoss(address(logits), address(labels), n, 1 / logits.shape[0]!));
    return loss;
  },
);

/** `mmllm/SigmoidPairLossGrad`: the gradient of the logits. */
export const sigmoidPairLossGradKernel = wasmKernel<PairInputs & { dy: tf.TensorInfo }, object>(
  'mmllm/SigmoidPairLossGrad',
  REASON,
  ({ inputs: { logits, labels, dy }, kernels, address, output, read }) => {
    const out = output(logits.shape);
    const scale = read(dy) / logits.shape[0]!;
    kernels.sigmoidPairGradient(address(logits), address(labels), sizeOf(logits.shape), scale, address(out));
    return out;
  },
);
