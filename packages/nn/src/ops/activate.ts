import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { type Activation, activationValue, activationWithSlope } from './activations';
import { defineKernel, defineOp } from './define-op';

interface ActivationAttrs {
  kind: Activation;
}

const activationGrad = defineKernel<{ dy: tf.Tensor; x: tf.Tensor }, ActivationAttrs>({
  name: 'mmllm/ActivateGrad',
  reference: ({ dy, x }, { kind }) => tf.mul(dy, activationWithSlope(x, kind).slope),
});

const apply = defineOp<{ x: tf.Tensor }, ActivationAttrs, 'x'>({
  name: 'mmllm/Activate',
  reference: ({ x }, { kind }) => activationValue(x, kind),
  inputsToSave: ['x'],
  backward: ({ dy, inputs: { x }, attrs }) => ({ x: () => activateGradient(dy, x, attrs.kind) }),
});

/** Applies an activation to every element of a float32 tensor. The caller owns the result. */
export function activate<T extends tf.Tensor>(x: T, kind: Activation): T {
  // Element-wise, so the result has the rank of its input.
  return apply({ x }, { kind }) as T;
}

/** For gradients of ops with an activation inside: `dy · activation'(x)`. */
export function activateGradient(dy: tf.Tensor, x: tf.Tensor, kind: Activation): tf.Tensor {
  return activationGrad({ dy, x }, { kind })[0]!;
}

const gatedGrad = defineKernel<{ dy: tf.Tensor; gate: tf.Tensor; up: tf.Tensor }, ActivationAttrs>({
  name: 'mmllm/GatedGrad',
  reference: ({ dy, gate, up }, { kind }) => {
    const { value, slope } = activationWithSlope(gate, kind);
    return [tf.mul(tf.mul(dy, up), slope), tf.mul(dy, value)];
  },
});

const applyGated = defineOp<{ gate: tf.Tensor; up: tf.Tensor }, ActivationAttrs, 'gate' | 'up'>({
  name: 'mmllm/Gated',
  reference: ({ gate, up }, { kind }) => tf.mul(activationValue(gate, kind), up),
  inputsToSave: ['gate', 'up'],
  backward: ({ dy, inputs: { gate, up }, attrs, share }) => {
    const [dGate, dUp] = share(() => gatedGrad({ dy, gate, up }, attrs));
    return { gate: () => tf.clone(dGate!), up: () => tf.clone(dUp!) };
  },
});

/**
 * `activation(gate) · up`, the inside of a gated MLP (Shazeer, arXiv:2002.05202). Both are float32 of one shape. The
 * caller owns the result.
 *
 * @throws ShapeError if the shapes differ.
 */
export function gated<T extends tf.Tensor>(gate: T, up: T, kind: Activation): T {
  if (!tf.util.arraysEqual(gate.shape, up.shape)) {
    throw new ShapeError({
      component: 'gated',
      expected: `gate and up of one shape`,
      actual: `[${gate.shape.join(', ')}] and [${up.shape.join(', ')}]`,
    });
  }
  // Element-wise, so the result has the rank of its inputs.
  return applyGated({ gate, up }, { kind }) as T;
}
