import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { ClipByValue, type ClipByValueAttrs } from '@tensorflow/tfjs-core';
import { attrsOf, type KernelFix } from './fix';
import { wasmMemory } from './host-arrays';

export const clipIntegersFix: KernelFix = {
  kernelName: ClipByValue,
  backends: ['wasm'],
  reason: 'the stock kernel takes the bits of integers for those of floats',
  create: (stock) => (params) => {
    const { clipValueMin, clipValueMax } = attrsOf<ClipByValueAttrs>(params);
    const x = params.inputs.x!;
    if (x.dtype !== 'int32') return stock(params);
    const memory = wasmMemory(params.backend as BackendWasm);
    const output = memory.allocate(x.shape, x.dtype);
    const [clipped, values] = [memory.view(output), memory.view(x)];
    for (let i = 0; i < values.length; i++) {
      clipped[i] = Math.min(Math.max(values[i]!, clipValueMin), clipValueMax);
    }
    return output;
  },
};
