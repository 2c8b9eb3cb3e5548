import * as tf from '@tensorflow/tfjs-core';
import { logSumExp } from './log-sum-exp';
import { selectRows } from './select-rows';
import { topKMask } from './top-k-mask';

/** What keeps a mixture of experts in shape while it is trained. A type alias, which `tf.tidy` accepts as a result. */
export type RoutingLosses = {
  /**
   * How unevenly the experts are used, 1 when they are used evenly: the number of experts times the sum, over them, of
   * the share of tokens whose first choice one is (without gradient) and its mean probability (Lepikhin et al. 2020,
   * arXiv:2006.16668).
   */
  readonly balance: tf.Scalar;
  /** The mean of the squared log-sum-exp of the router's logits (Zoph et al. 2022, arXiv:2202.08906). */
  readonly z: tf.Scalar;
};

/** Takes the losses of every mixture of experts in a pass. */
export interface RoutingObserver {
  /** Which of the flattened tokens [B · T] count: those that are no padding. Default all. */
  readonly rows?: Int32Array;
  /**
   * Called once for each layer. The tensors are the scope's.
   * @param logits float32[B · T, E] of all tokens; absent where the layer is computed again in the backward pass
   */
  add(losses: RoutingLosses, logits?: tf.Tensor2D): void;
}

/**
 * The losses of one router. The caller owns them.
 * @param logits float32[N, E]
 * @param rows those that count. Default all.
 */
export function routingLosses(logits: tf.Tensor2D, rows?: Int32Array): RoutingLosses {
  return tf.tidy(() => {
    const counted = rows ? (selectRows(logits, rows) as tf.Tensor2D) : logits;
    const numExperts = counted.shape[1];
    const share = tf.mean(topKMask(counted, 1), 0);
    const probability = tf.mean(tf.softmax(counted), 0);
    return {
      balance: tf.mul<tf.Scalar>(tf.sum(tf.mul(share, probability)), numExperts),
      z: tf.mean<tf.Scalar>(tf.square(logSumExp(counted))),
    };
  });
}
