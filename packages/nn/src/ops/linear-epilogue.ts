/** What layers do with a product, activation and residual, and the way back. */
import * as tf from '@tensorflow/tfjs-core';
import { activateGradient } from './activate';
import { type Activation, activationValue } from './activations';

export interface LinearOptions {
  /** float32[Out] */
  readonly bias?: tf.Tensor;
  readonly activation?: Activation;
  /** float32[…, Out], added last. */
  readonly residual?: tf.Tensor;
}

export interface LinearAttrs {
  activation?: Activation;
}

/** `activation(out) + residual`, and with an activation also what went into it. */
export function finish(
  out: tf.Tensor,
  activation: Activation | undefined,
  residual: tf.Tensor | undefined,
): tf.Tensor | tf.Tensor[] {
  const activated = activation ? activationValue(out, activation) : out;
  const result = residual ? tf.add(activated, residual) : activated;
  return activation ? [result, out] : result;
}

/** The gradient of what went into the activation. */
export function unfinish({
  dy,
  outputs: [preActivation],
  attrs: { activation },
  share,
}: {
  dy: tf.Tensor;
  outputs: readonly tf.Tensor[];
  attrs: LinearAttrs;
  share(compute: () => tf.Tensor[]): tf.Tensor[];
}): tf.Tensor {
  if (!activation || !preActivation) return dy;
  return share(() => [activateGradient(dy, preActivation, activation)])[0]!;
}
