import { ConfigError, ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { shapeText } from './checks';
import { embedding } from './embedding';
import { matmul } from './matmul';
import { selectRows } from './select-rows';
import { topKMask } from './top-k-mask';

export interface RoutingOptions {
  /** Experts for each row, from 1 to all. */
  readonly k: number;
  /**
   * The softmax that makes the weights: over the `'chosen'` logits, as in Mixtral (arXiv:2401.04088) and Aria
   * (arXiv:2410.05993), or over `'all'` before the choice, as in Qwen2-MoE (arXiv:2407.10671) and DeepSeekMoE
   * (arXiv:2401.06066). Default `'chosen'`.
   */
  readonly softmax?: 'chosen' | 'all';
  /** Divides weights of a softmax over all by their sum over the chosen (`norm_topk_prob`). Default false. */
  readonly normalize?: boolean;
}

/** Which experts each row goes to. A choice is a row's place at an expert: N rows of C choices each. */
export interface Routing {
  /** float32[N, C]: what the outputs of the choices count. Its gradient flows to the logits. The caller owns it. */
  readonly weights: tf.Tensor2D;
  /** The choices, row · C + place, in the order of their experts; within an expert in the order of rows. */
  readonly order: Int32Array;
  /** How many choices each expert has. */
  readonly groupSizes: Int32Array;
}

/**
 * Chooses the k experts with the largest logits for each row; of equal ones the first, and NaN is the largest, so that
 * it shows. Choices are made on the host. On webgpu, where results cannot be read in between, every row goes to every
 * expert instead, with a weight of zero for those that are not chosen: the same results, for the work of all.
 *
 * @param logits float32[N, E]
 * @returns C = k choices for each row, on webgpu C = E.
 * @throws ShapeError, ConfigError
 */
export function routeTopK(logits: tf.Tensor2D, options: RoutingOptions): Routing {
  const [numRows, numExperts] = logits.shape;
  if (logits.rank !== 2) {
    throw new ShapeError({ component: 'routeTopK', expected: '[N, E]', actual: shapeText(logits.shape) });
  }
  const { k } = options;
  if (!Number.isInteger(k) || k < 1 || k > numExperts) {
    throw new ConfigError({
      component: 'routeTopK.k',
      expected: `a whole number from 1 to ${numExperts}`,
      actual: String(k),
    });
  }
  if (tf.getBackend() === 'webgpu') {
    const everyone = Int32Array.from({ length: numRows * numExperts }, (_, i) => i % numExperts);
    return { weights: weightsOfAll(logits, options), ...byExpert(everyone, numExperts) };
  }
  const chosen = largest(logits.dataSync<'float32'>(), numExperts, k);
  return { weights: weightsOfChosen(logits, chosen, options), ...byExpert(chosen, numExperts) };
}

/**
 * A row for each choice, in the order of experts: what `groupedMatmul` takes. The caller owns the result.
 *
 * @param x float32[N, D]
 * @returns float32[N · C, D]
 */
export function dispatchRows(x: tf.Tensor2D, { weights, order }: Routing): tf.Tensor2D {
  const choices = weights.shape[1];
  const rows = order.map((choice) => Math.floor(choice / choices));
  return embedding(x, rows, [rows.length]) as tf.Tensor2D;
}

/**
 * The sum of each row's choices by their weights. The caller owns the result.
 *
 * @param y float32[N · C, D], in the order of experts
 * @returns float32[N, D]
 */
export function combineRows(y: tf.Tensor2D, { weights, order }: Routing): tf.Tensor2D {
  const [numRows, choices] = weights.shape;
  const width = y.shape[1];
  const places = new Int32Array(order.length);
  for (const [place, choice] of order.entries()) places[choice] = place;
  return tf.tidy(() => {
    const byRow = tf.reshape<tf.Rank.R3>(selectRows(y, places), [numRows, choices, width]);
    const sums = matmul(tf.reshape<tf.Rank.R3>(weights, [numRows, 1, choices]), byRow);
    return tf.reshape<tf.Rank.R2>(sums, [numRows, width]);
  });
}

/** The k columns with the largest values of each row, largest first. */
function largest(values: Float32Array, columns: number, k: number): Int32Array {
  const numRows = values.length / columns;
  const chosen = new Int32Array(numRows * k);
  const isFree = new Uint8Array(columns);
  for (let row = 0; row < numRows; row++) {
    const start = row * columns;
    isFree.fill(1);
    for (let place = 0; place < k; place++) {
      let best = isFree.indexOf(1);
      for (let column = best + 1; column < columns; column++) {
        if (isFree[column] && isLarger(values[start + column]!, values[start + best]!)) best = column;
      }
      isFree[best] = 0;
      chosen[row * k + place] = best;
    }
  }
  return chosen;
}

const isLarger = (a: number, b: number): boolean => a > b || (Number.isNaN(a) && !Number.isNaN(b));

function weightsOfChosen(
  logits: tf.Tensor2D,
  chosen: Int32Array,
  { k, softmax = 'chosen', normalize = false }: RoutingOptions,
): tf.Tensor2D {
  const [numRows, numExperts] = logits.shape;
  const places = chosen.map((expert, choice) => Math.floor(choice / k) * numExperts + expert);
  const pick = (x: tf.Tensor2D) =>
    tf.reshape<tf.Rank.R2>(selectRows(tf.reshape(x, [-1, 1]), places), [numRows, k]);
  return tf.tidy(() => {
    if (softmax === 'chosen') return tf.softmax(pick(logits));
    const shares = pick(tf.softmax(logits));
    return normalize ? tf.div(shares, tf.sum(shares, 1, true)) : shares;
  });
}

/** float32[N, E], zeros for what is not chosen. */
function weightsOfAll(
  logits: tf.Tensor2D,
  { k, softmax = 'chosen', normalize = false }: RoutingOptions,
): tf.Tensor2D {
  return tf.tidy(() => {
    const isChosen = topKMask(logits, k);
    // The others far below every logit, for a share of exactly zero.
    if (softmax === 'chosen') {
      return tf.softmax(tf.add<tf.Tensor2D>(logits, tf.mul(tf.sub(isChosen, 1), 1e30)));
    }
    const shares = tf.mul<tf.Tensor2D>(tf.softmax(logits), isChosen);
    return normalize ? tf.div(shares, tf.sum(shares, 1, true)) : shares;
  });
}

/** Sorts choices by expert, by counting. @param experts the expert of each choice */
function byExpert(experts: Int32Array, numExperts: number): Pick<Routing, 'order' | 'groupSizes'> {
  const groupSizes = new Int32Array(numExperts);
  for (const expert of experts) groupSizes[expert]!++;
  const next = new Int32Array(numExperts);
  for (let e = 1; e < numExperts; e++) next[e] = next[e - 1]! + groupSizes[e - 1]!;
  const order = new Int32Array(experts.length);
  for (const [choice, expert] of experts.entries()) order[next[expert]!++] = choice;
  return { order, groupSizes };
}
