import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineKernel, defineOp } from './define-op';

interface PairInputs {
  logits: tf.Tensor2D;
  labels: tf.Tensor2D;
}

/** log(1 + exp(z)) without overflow, and exact where exp(z) is tiny. */
const softplus = (z: tf.Tensor) => tf.add(tf.relu(z), tf.log1p(tf.exp(tf.neg(tf.abs(z)))));

/** `−labels · σ(−labels · logits) · dy / N`. */
const gradient = defineKernel<PairInputs & { dy: tf.Tensor }, object>({
  name: 'mmllm/SigmoidPairLossGrad',
  reference: ({ logits, labels, dy }) => {
    const turned = tf.neg(labels);
    return tf.mul(tf.mul(turned, tf.sigmoid(tf.mul(turned, logits))), tf.mul(dy, 1 / logits.shape[0]));
  },
});

const apply = defineOp<PairInputs, object, 'logits' | 'labels', tf.Scalar>({
  name: 'mmllm/SigmoidPairLoss',
  reference: ({ logits, labels }) =>
    tf.mul(tf.sum(softplus(tf.neg(tf.mul(labels, logits)))), 1 / logits.shape[0]),
  inputsToSave: ['logits', 'labels'],
  backward: ({ dy, inputs: { logits, labels } }) => ({
    logits: () => gradient({ logits, labels, dy }, {})[0]!,
    // The loss depends on the product of the two only.
    labels: () => gradient({ logits: labels, labels: logits, dy }, {})[0]!,
  }),
});

/**
 * SigLIP's loss: the sum over all pairs of `−log σ(label · logit)`, divided by the number of rows (Zhai et al.,
 * arXiv:2303.15343). The caller owns the result.
 *
 * @param logits float32[N, M]: temperature and bias already in them
 * @param labels float32[N, M]: 1 for a pair that belongs together, −1 for one that does not
 * @returns float32 scalar
 * @throws ShapeError if the shapes differ or are no matrices.
 */
export function sigmoidPairLoss(logits: tf.Tensor2D, labels: tf.Tensor2D): tf.Scalar {
  if (logits.rank !== 2 || !tf.util.arraysEqual(logits.shape, labels.shape)) {
    throw new ShapeError({
      component: 'sigmoidPairLoss',
      expected: 'logits and labels of one [N, M]',
      actual: `${shapeText(logits.shape)} and ${shapeText(labels.shape)}`,
    });
  }
  return apply({ logits, labels }, {});
}
