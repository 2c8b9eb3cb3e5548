import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { attrsOf, type KernelFix } from './fix';
import { wasmMemory } from './host-arrays';

/** Anything but zero is true. */
export const castToBoolFix: KernelFix = {
  kernelName: tf.Cast,
  backends: ['wasm'],
  reason: 'to bool, the stock kernel keeps the low byte: 0.5 and 256 become false, -1 becomes 255',
  create: (stock) => (params) => {
    const { dtype } = attrsOf<tf.CastAttrs>(params);
    const x = params.inputs.x!;
    if (dtype !== 'bool' || x.dtype === 'bool') return stock(params);
    const memory = wasmMemory(params.backend as BackendWasm);
    const output = memory.allocate(x.shape, dtype);
    const [truths, values] = [memory.view(output), memory.view(x)];
    for (let i = 0; i < values.length; i++) truths[i] = values[i] === 0 ? 0 : 1;
    return output;
  },
};

/** The stock kernel renames the dtype and leaves integers in the buffer, for the next kernel to convert. */
export const castToFloatFix: KernelFix = {
  kernelName: tf.Cast,
  backends: ['webgpu'],
  reason: 'from integers or bool to float32, kernels that only move elements yield zeros afterwards',
  create: (stock) => (params) => {
    const { dtype } = attrsOf<tf.CastAttrs>(params);
    const isNumber = params.inputs.x!.dtype === 'int32' || params.inputs.x!.dtype === 'bool';
    if (dtype !== 'float32' || !isNumber) return stock(params);
    return tf.tidy(() => {
      // One output; the declared type allows for kernels with several.
      const renamed = tf.engine().makeTensorFromTensorInfo(stock(params) as tf.TensorInfo);
      return tf.mul(renamed, 1);
    });
  },
};
