import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import type { KernelFix } from './fix';

/** One more holder of the same data, as on the other backends. Strings live outside the memory. */
export const identityFix: KernelFix = {
  kernelName: tf.Identity,
  backends: ['wasm'],
  reason: 'the stock kernel copies: whatever is saved for the backward pass, weights too, is held twice',
  create: (stock) => (params) => {
    const { dataId, shape, dtype } = params.inputs.x!;
    if (dtype === 'string') return stock(params);
    (params.backend as BackendWasm).incRef(dataId);
    return { dataId, shape, dtype };
  },
};
