import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type Activation, activationCode } from './activations';
import type { Gpu } from './gpu';
import { filled, webgpuKernel } from './kernel';

interface ActivationAttrs {
  kind: Activation;
}

const REASON = 'one pass over the memory instead of one for each elementary op';

/** An activation of every element. */
export const activated = (gpu: Gpu, x: TensorInfo, kind: Activation): TensorInfo =>
  gpu.elements({
    name: `Activate ${kind}`,
    inputs: { x },
    shape: x.shape,
    prelude: () => activationCode(kind),
    value: () => 'activation(x[i])',
  });

/** `mmllm/Activate` */
export const activateKernel = webgpuKernel<{ x: TensorInfo }, ActivationAttrs>(
  'mmllm/Activate',
  REASON,
  ({ gpu, inputs: { x }, attrs: { kind } }) => activated(gpu, x, kind),
  [{ inputs: { x: filled([3], 2) }, attrs: { kind: 'relu2' }, expected: [[4, 4, 4]] }],
);

/** `mmllm/ActivateGrad`: `dy · activation'(x)`. */
export const activateGradKernel = webgpuKernel<{ dy: TensorInfo; x: TensorInfo }, ActivationAttrs>(
  'mmllm/ActivateGrad',
  REASON,
  ({ gpu, inputs: { dy, x }, attrs: { kind } }) =>
    gpu.elements({
      name: `ActivateGrad ${kind}`,
      inputs: { dy, x },
      shape: x.shape,
      prelude: () => activationCode(kind),
      value: () => 'dy[i] * activationSlope(x[i])',
    }),
  [
    {
      inputs: { dy: filled([3], 3), x: filled([3], 2) },
      attrs: { kind: 'relu2' },
      expected: [[12, 12, 12]],
    },
  ],
);

/** `mmllm/Gated`: `activation(gate) · up`. */
export const gatedKernel = webgpuKernel<{ gate: TensorInfo; up: TensorInfo }, ActivationAttrs>(
  'mmllm/Gated',
  REASON,
  ({ gpu, inputs: { gate, up }, attrs: { kind } }) =>
    gpu.elements({
      name: `Gated ${kind}`,
      inputs: { gate, up },
      shape: gate.shape,
      prelude: () => activationCode(kind),
      value: () => 'activation(gate[i]) * up[i]',
    }),
  [{ inputs: { gate: filled([3], 2), up: filled([3], 3) }, attrs: { kind: 'relu' }, expected: [[6, 6, 6]] }],
);

/** `mmllm/GatedGrad`: the gradients of gate and up. */
export const gatedGradKernel = webgpuKernel<
  { dy: TensorInfo; gate: TensorInfo; up: TensorInfo },
  ActivationAttrs
>(
  'mmllm/GatedGrad',
  REASON,
  ({ gpu, inputs: { dy, gate, up }, attrs: { kind } }) => {
    const common = { shape: gate.shape, prelude: () => activationCode(kind) };
    const dGate = gpu.elements({
      ...common,
      name: `GatedGrad of gate, ${kind}`,
      inputs: { dy, gate, up },
      value: () => 'dy[i] * up[i] * activationSlope(gate[i])',
    });
    const dUp = gpu.elements({
      ...common,
      name: `GatedGrad of up, ${kind}`,
      inputs: { dy, gate },
      value: () => 'dy[i] * activation(gate[i])',
    });
    return [dGate, dUp];
  },
  [
    {
      inputs: { dy: filled([2], 5), gate: filled([2], 2), up: filled([2], 3) },
      attrs: { kind: 'relu' },
      expected: [
        [15, 15],
        [10, 10],
      ],
    },
  ],
);
