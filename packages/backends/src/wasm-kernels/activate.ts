import type * as tf from '@tensorflow/tfjs-core';
import { type Activation, activationNumber } from './activation-names';
import { sizeOf, wasmKernel } from './call';

interface ActivationAttrs {
  kind: Activation;
}

const REASON = 'one pass over the memory instead of one for each elementary op';

/** `mmllm/Activate`: an activation of every element. */
export const activateKernel = wasmKernel<{ x: tf.TensorInfo }, ActivationAttrs>(
  'mmllm/Activate',
  REASON,
  ({ inputs: { x }, attrs: { kind }, kernels, address, output }) => {
    const out = output(x.shape);
    kernels.activate(activationNumber(kind), address(x), address(out), sizeOf(x.shape));
    return out;
  },
);

/** `mmllm/ActivateGrad`: `dy · activation'(x)`. */
export const activateGradKernel = wasmKernel<{ dy: tf.TensorInfo; x: tf.TensorInfo }, ActivationAttrs>(
  'mmllm/ActivateGrad',
  REASON,
  ({ inputs: { dy, x }, attrs: { kind }, kernels, address, output }) => {
    const dx = output(x.shape);
    kernels.activationGradient(activationNumber(kind), address(dy), address(x), address(dx), sizeOf(x.shape));
    return dx;
  },
);

interface GatedInputs {
  /** float32[…] */
  gate: tf.TensorInfo;
  /** float32[…], of the same shape */
  up: tf.TensorInfo;
}

/** `mmllm/Gated`: `activation(gate) · up`. */
export const gatedKernel = wasmKernel<GatedInputs, ActivationAttrs>(
  'mmllm/Gated',
  REASON,
  ({ inputs: { gate, up }, attrs: { kind }, kernels, address, output }) => {
    const out = output(gate.shape);
    kernels.gated(activationNumber(kind), address(gate), address(up), address(out), sizeOf(gate.shape));
    return out;
  },
);

/** `mmllm/GatedGrad`: the gradients of gate and up. */
export const gatedGradKernel = wasmKernel<GatedInputs & { dy: tf.TensorInfo }, ActivationAttrs>(
  'mmllm/GatedGrad',
  REASON,
  ({ inputs: { dy, gate, up }, attrs: { kind }, kernels, address, output }) => {
    const dGate = output(gate.shape);
    const dUp = output(gate.shape);
    kernels.gatedGradient(
      activationNumber(kind),
      address(dy),
      address(gate),
      address(up),
      address(dGate),
      address(dUp),
      sizeOf(gate.shape),
    );
    return [dGate, dUp];
  },
);
