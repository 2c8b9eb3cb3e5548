import type { AttentionRule, AuxiliaryLoss } from '@mmllm/core';
import type { RoutingLosses, RoutingObserver } from '@mmllm/nn';
import * as tf from '@tensorflow/tfjs-core';

/** What each of the losses of a mixture of experts counts beside the cross-entropy. */
export type LossCoefficients = { readonly [name in keyof RoutingLosses]: number };

const NAMES = ['balance', 'z'] as const;

/** Adds up the losses of all layers of a pass, over the tokens that are no padding. */
export class AuxiliarySum implements RoutingObserver {
  readonly rows?: Int32Array;
  readonly #coefficients: LossCoefficients;
  readonly #layers: RoutingLosses[] = [];
  readonly #logits: tf.Tensor3D[] = [];
  readonly #shape: readonly [number, number];

  constructor(
    coefficients: LossCoefficients,
    [batch, length]: readonly [number, number],
    { start, end }: AttentionRule,
  ) {
    this.#coefficients = coefficients;
    this.#shape = [batch, length];
    if (!start && !end) return;
    const counts = (i: number) => {
      const [b, t] = [Math.floor(i / length), i % length];
      return t >= (start?.[b] ?? 0) && t < (end?.[b] ?? length);
    };
    this.rows = Int32Array.from({ length: batch * length }, (_, i) => i).filter(counts);
  }

  add(losses: RoutingLosses, logits?: tf.Tensor2D): void {
    this.#layers.push(losses);
    if (logits) this.#logits.push(tf.reshape<tf.Rank.R3>(logits, [...this.#shape, -1]));
  }

  /** float32[B, T, E] of each layer. The scope's. */
  get logits(): readonly tf.Tensor3D[] {
    return this.#logits;
  }

  /** The sum of each, in the order of `named`. The caller owns them. */
  sums(): tf.Scalar[] {
    return NAMES.map((name) => tf.addN(this.#layers.map((layer) => layer[name])) as tf.Scalar);
  }

  named(sums: readonly tf.Scalar[]): AuxiliaryLoss[] {
    return NAMES.map((name, i) => ({ name, loss: sums[i], coefficient: this.#coefficients[name] }));
  }
}
