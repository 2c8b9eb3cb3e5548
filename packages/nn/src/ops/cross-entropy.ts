import { ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { defineKernel, defineOp } from './define-op';
import { logSumExpOfRows } from './log-sum-exp';
import { oneHot } from './one-hot';
import { selectRows } from './select-rows';

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

/** Elements that are worked on at a time; as one tensor, each intermediate result would be as large as the logits. */
const BLOCK_SIZE = 2 ** 20;

/** `(softmax(logits) − onehot(targets)) · weight · dy`, zeros for rows that do not count. */
const gradient = defineKernel<
  { logits: tf.Tensor2D; logSumExp: tf.Tensor1D; dy: tf.Tensor },
  CrossEntropyAttrs
>({
  name: 'mmllm/CrossEntropyGrad',
  reference: ({ logits, logSumExp, dy }, { targets, weights }) => {
    const [numRows, numClasses] = logits.shape;
    const blocks = blocksOf(numberedTo(numRows), numClasses).map((rows) =>
      tf.tidy(() => {
        const counted = rows.filter((row) => weights[row]! > 0);
        const sums = selectRows(tf.reshape(logSumExp, [numRows, 1]), counted);
        const probabilities = tf.exp(tf.sub(selectRows(logits, counted), sums));
        const wrong = tf.sub(probabilities, oneHot(takeInts(targets, counted), numClasses));
        const perRow = tf.mul(tf.tensor2d(takeFloats(weights, counted), [counted.length, 1]), dy);
        return selectRows(tf.mul(wrong, perRow) as tf.Tensor2D, placesIn(counted, rows));
      }),
    );
    return blocks.length === 1 ? blocks[0]! : tf.concat(blocks);
  },
});

/** Outputs: the loss, and log Σ exp of every row that counts, float32[N], with zeros for the others. */
const apply = defineOp<{ logits: tf.Tensor2D }, CrossEntropyAttrs, 'logits', tf.Scalar>({
  name: 'mmllm/CrossEntropy',
  reference: ({ logits }, { targets, weights }) => {
    const [numRows, numClasses] = logits.shape;
    const all = numberedTo(numRows);
    const counted = all.filter((row) => weights[row]! > 0);
    if (counted.length === 0) return [tf.scalar(0), tf.zeros([numRows])];
    const blocks = blocksOf(counted, numClasses).map((rows) =>
      tf.tidy(() => logSumExpOfRows(selectRows(logits, rows))),
    );
    const sums = tf.concat(blocks) as tf.Tensor2D;
    const targetPlaces = counted.map((row) => row * numClasses + targets[row]!);
    const chosen = tf.gather(tf.reshape(logits, [-1]), tf.tensor1d(targetPlaces, 'int32'));
    const losses = tf.sub(tf.reshape(sums, [-1]), chosen);
    const loss = tf.sum(tf.mul(losses, tf.tensor1d(takeFloats(weights, counted))));
    return [loss, tf.reshape(selectRows(sums, placesIn(counted, all)), [numRows])];
  },
  inputsToSave: ['logits'],
  outputsToSave: [false, true],
  backward: ({ dy, inputs: { logits }, outputs, attrs }) => ({
    logits: () => gradient({ logits, logSumExp: outputs[0] as tf.Tensor1D, dy }, attrs)[0]!,
  }),
});

/**
 * Mean over the counted rows of `−log softmax(logits)[target]`; zero, with a gradient of zero, if no row counts. Rows
 * that do not count are not read, and no probabilities are kept for the gradient. The caller owns the result.
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

const numberedTo = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);

const takeFloats = (values: Float32Array, places: Int32Array): Float32Array =>
  Float32Array.from(places, (place) => values[place]!);

const takeInts = (values: Int32Array, places: Int32Array): Int32Array =>
  places.map((place) => values[place]!);

/** For each of `rows` its place among the counted ones, which are some of them in the same order, or −1. */
function placesIn(counted: Int32Array, rows: Int32Array): Int32Array {
  let next = 0;
  return rows.map((row) => (counted[next] === row ? next++ : -1));
}

/** Rows of `width` elements in blocks of at least one row. */
function blocksOf(rows: Int32Array, width: number): Int32Array[] {
  const height = Math.max(1, Math.floor(BLOCK_SIZE / width));
  const count = Math.max(1, Math.ceil(rows.length / height));
  return Array.from({ length: count }, (_, i) => rows.subarray(i * height, (i + 1) * height));
}
