import { ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineKernel, defineOp } from './define-op';
import { logSumExpOfRows } from './log-sum-exp';
import { oneHot } from './one-hot';

export interface CrossEntropyOptions {
  /** Rows with this target do not count. Default -100. */
  readonly ignoreIndex?: number;
}

interface CrossEntropyAttrs {
  /** The class of each row; 0 for a row that does not count. */
  targets: Int32Array;
  /** 1 / (number of counted rows) for a row that counts, 0 for one that does not. */
  weights: Float32Array;
}

/** `(softmax(logits) − onehot(targets)) · weight · dy`. */
const gradient = defineKernel<{ logits: tf.Tensor2D; dy: tf.Tensor }, CrossEntropyAttrs>({
  name: 'mmllm/CrossEntropyGrad',
  reference: ({ logits, dy }, { targets, weights }) => {
    const [numRows, numClasses] = logits.shape;
    const perRow = tf.mul(tf.tensor2d(weights, [numRows, 1]), dy);
    return tf.mul(tf.sub(tf.softmax(logits), oneHot(targets, numClasses)), perRow);
  },
});

const apply = defineOp<{ logits: tf.Tensor2D }, CrossEntropyAttrs, 'logits', tf.Scalar>({
  name: 'mmllm/CrossEntropy',
  reference: ({ logits }, { targets, weights }) => {
    const numClasses = logits.shape[1];
    const places = targets.map((target, row) => row * numClasses + target);
    const chosen = tf.gather(tf.reshape(logits, [-1]), tf.tensor1d(places, 'int32'));
    const losses = tf.sub(tf.reshape(logSumExpOfRows(logits), [-1]), chosen);
    return tf.sum(tf.mul(losses, tf.tensor1d(weights)));
  },
  inputsToSave: ['logits'],
  backward: ({ dy, inputs: { logits }, attrs }) => ({
    logits: () => gradient({ logits, dy }, attrs)[0]!,
  }),
});

/**
 * Mean over the counted rows of `−log softmax(logits)[target]`; zero, with a gradient of zero, if no row counts. No
 * probabilities are kept for the gradient. The caller owns the result.
 *
 * @param logits float32[N, V]
 * @param targets class of each row in [0, V), or `ignoreIndex`
 * @returns float32 scalar
 * @throws ShapeError unless there is one target for each row.
 * @throws ConfigError for a target outside the classes.
 */
export function crossEntropy(
  logits: tf.Tensor2D,
  targets: Int32Array,
  { ignoreIndex = -100 }: CrossEntropyOptions = {},
): tf.Scalar {
  const [numRows, numClasses] = logits.shape;
  if (logits.rank !== 2 || targets.length !== numRows) {
    throw new ShapeError({
      component: 'crossEntropy',
      expected: 'logits of [N, V] and N targets',
      actual: `${shapeText(logits.shape)} and ${targets.length} targets`,
    });
  }
  const counts = (target: number) => target !== ignoreIndex;
  const outside = targets.find((target) => counts(target) && (target < 0 || target >= numClasses));
  if (outside !== undefined) {
    throw new ConfigError({
      component: 'crossEntropy',
      expected: `targets from 0 to ${numClasses - 1}, or ${ignoreIndex}`,
      actual: `${outside}`,
    });
  }
  const numCounted = targets.filter(counts).length;
  return apply(
    { logits },
    {
      targets: targets.map((target) => (counts(target) ? target : 0)),
      weights: Float32Array.from(targets, (target) => (counts(target) ? 1 / numCounted : 0)),
    },
  );
}
