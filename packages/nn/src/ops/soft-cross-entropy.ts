import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineKernel, defineOp } from './define-op';
import { logSumExpOfRows } from './log-sum-exp';

interface SoftInputs {
  logits: tf.Tensor2D;
  probabilities: tf.Tensor2D;
}

/** `(softmax(logits) · Σ probabilities − probabilities) · dy / N`. */
const logitsGradient = defineKernel<SoftInputs & { dy: tf.Tensor }, object>({
  name: 'mmllm/SoftCrossEntropyGrad',
  reference: ({ logits, probabilities, dy }) => {
    const scaled = tf.mul(tf.softmax(logits), tf.sum(probabilities, -1, true));
    return tf.mul(tf.sub(scaled, probabilities), tf.mul(dy, 1 / logits.shape[0]));
  },
});

const apply = defineOp<SoftInputs, object, 'logits' | 'probabilities', tf.Scalar>({
  name: 'mmllm/SoftCrossEntropy',
  reference: ({ logits, probabilities }) => {
    const losses = tf.mul(probabilities, tf.sub(logSumExpOfRows(logits), logits));
    return tf.mul(tf.sum(losses), 1 / logits.shape[0]);
  },
  inputsToSave: ['logits', 'probabilities'],
  backward: ({ dy, inputs: { logits, probabilities } }) => ({
    logits: () => logitsGradient({ logits, probabilities, dy }, {})[0]!,
    probabilities: () => tf.mul(tf.sub(logSumExpOfRows(logits), logits), tf.mul(dy, 1 / logits.shape[0])),
  }),
});

/**
 * Mean over rows of `−Σ probabilities · log softmax(logits)`: cross-entropy with several right answers to a row, as in
 * contrastive batches with equal captions. The caller owns the result.
 *
 * @param logits float32[N, V], finite
 * @param probabilities float32[N, V], rows that add up to 1 (others count as they are)
 * @returns float32 scalar
 * @throws ShapeError if the shapes differ or are no matrices.
 */
export function softCrossEntropy(logits: tf.Tensor2D, probabilities: tf.Tensor2D): tf.Scalar {
  if (logits.rank !== 2 || !tf.util.arraysEqual(logits.shape, probabilities.shape)) {
    throw new ShapeError({
      component: 'softCrossEntropy',
      expected: 'logits and probabilities of one [N, V]',
      actual: `${shapeText(logits.shape)} and ${shapeText(probabilities.shape)}`,
    });
  }
  return apply({ logits, probabilities }, {});
}
