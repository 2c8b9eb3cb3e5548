import { type Initializer, Module, normal, Parameter } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import {
  type Activation,
  combineRows,
  dispatchRows,
  gated,
  groupedMatmul,
  type RoutingOptions,
  routeTopK,
  routingLosses,
} from '../ops';
import { Linear } from './linear';
import type { FeedForward, FeedForwardOptions } from './mlp';

export interface MoeMlpOptions {
  readonly hiddenSize: number;
  /** Of each expert. */
  readonly intermediateSize: number;
  readonly numExperts: number;
  readonly numExpertsPerToken: number;
  readonly activation: Activation;
  /** How the experts' weights come from the router's logits. Default: softmax over the chosen ones. */
  readonly routing?: Omit<RoutingOptions, 'k'>;
  /** Run for every token beside the experts, and added (Dai et al. 2024, arXiv:2401.06066). */
  readonly sharedExperts?: FeedForward;
  readonly initializer?: Initializer;
}

/**
 * A sparse mixture of gated MLPs: each token goes to the few experts that a linear router chooses, and their outputs
 * are added by weight (Shazeer et al. 2017, arXiv:1701.06538; Jiang et al. 2024, arXiv:2401.04088). The experts'
 * matrices are stacked, one parameter for each projection.
 */
export class MoeMlp extends Module implements FeedForward {
  readonly router: Linear;
  /** float32[numExperts, hiddenSize, intermediateSize] */
  readonly gateProj: Parameter;
  /** float32[numExperts, hiddenSize, intermediateSize] */
  readonly upProj: Parameter;
  /** float32[numExperts, intermediateSize, hiddenSize] */
  readonly downProj: Parameter;
  readonly sharedExperts?: FeedForward;
  private readonly activation: Activation;
  private readonly routing: RoutingOptions;

  constructor({
    hiddenSize,
    intermediateSize,
    numExperts,
    numExpertsPerToken,
    activation,
    routing,
    sharedExperts,
    initializer = normal(0.02),
  }: MoeMlpOptions) {
    super();
    this.activation = activation;
    this.routing = { ...routing, k: numExpertsPerToken };
    this.router = new Linear(hiddenSize, numExperts, { bias: false, initializer });
    this.gateProj = new Parameter([numExperts, hiddenSize, intermediateSize], { initializer });
    this.upProj = new Parameter([numExperts, hiddenSize, intermediateSize], { initializer });
    this.downProj = new Parameter([numExperts, intermediateSize, hiddenSize], { initializer });
    if (sharedExperts) this.sharedExperts = sharedExperts;
  }

  /**
   * float32[…, hiddenSize] to the same shape.
   * @throws ShapeError for another width, ConfigError unless there are as many experts as a token goes to.
   */
  forward<T extends tf.Tensor>(x: T, { residual, routing }: FeedForwardOptions = {}): T {
    const logits = tf.tidy(() => this.router.forward(asRows(x)));
    // Beside the scope below, which they outlive.
    routing?.add(routingLosses(logits, routing.rows), logits);
    const mixed = tf.tidy(() => this.mix(x, logits, residual));
    logits.dispose();
    return mixed;
  }

  private mix<T extends tf.Tensor>(x: T, logits: tf.Tensor2D, residual: tf.Tensor | undefined): T {
    const routing = routeTopK(logits, this.routing);
    const through = (rows: tf.Tensor2D, { value }: Parameter) =>
      groupedMatmul(rows, value as tf.Tensor3D, routing.groupSizes);
    const rows = dispatchRows(asRows(x), routing);
    const inner = gated(through(rows, this.gateProj), through(rows, this.upProj), this.activation);
    const mixed = tf.reshape(combineRows(through(inner, this.downProj), routing), x.shape);
    const sum = residual ? tf.add(mixed, residual) : mixed;
    return (this.sharedExperts?.forward(x, { residual: sum }) ?? sum) as T;
  }
}

const asRows = (x: tf.Tensor): tf.Tensor2D => tf.reshape(x, [-1, x.shape.at(-1) ?? 1]);
