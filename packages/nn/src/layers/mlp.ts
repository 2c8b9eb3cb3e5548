import { type Initializer, Module } from '@mmllm/core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Activation, gated, type RoutingObserver } from '../ops';
import { forwardEach, Linear } from './linear';

export interface MlpOptions {
  hiddenSize: number;
  intermediateSize: number;
  activation: Activation;
  /** Width of the result, for MLPs outside of a block. Default hiddenSize. */
  outputSize?: number;
  /** Default true for `Mlp`, false for `GatedMlp`. */
  bias?: boolean;
  initializer?: Initializer;
}

export interface FeedForwardOptions {
  /** Of the result's shape, added last. */
  readonly residual?: Tensor;
  /** Takes the losses of a mixture of experts; a dense one has none. */
  readonly routing?: RoutingObserver;
}

/** The feed-forward half of a transformer block: float32[…, hiddenSize] to the same shape. */
export interface FeedForward extends Module {
  forward<T extends Tensor>(x: T, options?: FeedForwardOptions): T;
}

/** Two layers with an activation between them. */
export class Mlp extends Module implements FeedForward {
  readonly fc1: Linear;
  readonly fc2: Linear;
  private readonly activation: Activation;

  constructor({
    hiddenSize,
    intermediateSize,
    outputSize = hiddenSize,
    activation,
    bias = true,
    initializer,
  }: MlpOptions) {
    super();
    this.activation = activation;
    this.fc1 = new Linear(hiddenSize, intermediateSize, { bias, initializer });
    this.fc2 = new Linear(intermediateSize, outputSize, { bias, initializer });
  }

  forward<T extends Tensor>(x: T, { residual }: FeedForwardOptions = {}): T {
    return this.fc2.forward(this.fc1.forward(x, { activation: this.activation }), { residual });
  }
}

/** `down(activation(gate(x)) · up(x))`: SwiGLU and GeGLU (Shazeer 2020, arXiv:2002.05202). */
export class GatedMlp extends Module implements FeedForward {
  readonly gateProj: Linear;
  readonly upProj: Linear;
  readonly downProj: Linear;
  private readonly activation: Activation;

  constructor({
    hiddenSize,
    intermediateSize,
    outputSize = hiddenSize,
    activation,
    bias = false,
    initializer,
  }: MlpOptions) {
    super();
    this.activation = activation;
    this.gateProj = new Linear(hiddenSize, intermediateSize, { bias, initializer });
    this.upProj = new Linear(hiddenSize, intermediateSize, { bias, initializer });
    this.downProj = new Linear(intermediateSize, outputSize, { bias, initializer });
  }

  forward<T extends Tensor>(x: T, { residual }: FeedForwardOptions = {}): T {
    const [gate, up] = forwardEach([this.gateProj, this.upProj], x);
    const inner = gated(gate!, up!, this.activation);
    return this.downProj.forward(inner, { residual });
  }
}

/**
 * The usual `intermediateSize` of a gated MLP: 8/3 · hiddenSize, so that its three matrices weigh what the two of a
 * plain MLP of 4 · hiddenSize do (Shazeer 2020), rounded up to a multiple of 256 as in LLaMA's code.
 */
export function gatedMlpSize(hiddenSize: number): number {
  return 256 * Math.ceil((8 * hiddenSize) / 3 / 256);
}
