import { BackendError } from '@mmllm/core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type * as tf from '@tensorflow/tfjs-core';
import { Gpu, gpuState } from './gpu';

/** A kernel under the op layer's name, in WGSL. */
export interface WebgpuKernel {
  readonly kernelName: `mmllm/${string}`;
  readonly reason: string;
  readonly kernelFunc: tf.KernelFunc;
  readonly probes: readonly Probe[];
}

/** A call with known results, tried at the start, since a driver may refuse or misread what others take. */
export interface Probe {
  readonly inputs: Readonly<
    Record<string, { shape: number[]; data: readonly number[]; dtype?: 'float32' | 'int32' }>
  >;
  readonly attrs: object;
  /** Every value of every output. */
  readonly expected: readonly (readonly number[])[];
}

/** One call of a kernel: its inputs and attributes by their own types. */
export interface Call<I, A> {
  readonly gpu: Gpu;
  readonly inputs: I;
  readonly attrs: A;
}

/**
 * Wraps `run` as a tfjs kernel. The op layer is the only caller, so inputs and attributes are what its kernel of this
 * name documents.
 *
 * @param integers names of the inputs that are int32, not float32; or that each may be `either`
 */
export function webgpuKernel<I, A>(
  kernelName: WebgpuKernel['kernelName'],
  reason: string,
  run: (call: Call<I, A>) => tf.TensorInfo | tf.TensorInfo[],
  probes: readonly Probe[],
  integers: readonly string[] | 'either' = [],
): WebgpuKernel {
  const kernelFunc: tf.KernelFunc = ({ inputs, attrs, backend }) => {
    for (const [name, tensor] of integers === 'either' ? [] : Object.entries(inputs)) {
      const dtype = integers.includes(name) ? 'int32' : 'float32';
      if (tensor && tensor.dtype !== dtype) {
        throw new BackendError({
          component: `${kernelName} on webgpu`,
          expected: `${name} of ${dtype}`,
          actual: tensor.dtype,
        });
      }
    }
    // Registered for the webgpu backend only.
    const state = gpuState(backend as WebGPUBackend);
    state.guard.throwFailure();
    const gpu = new Gpu(state, kernelName);
    let outputs: tf.TensorInfo | tf.TensorInfo[] = [];
    try {
      outputs = run({ gpu, inputs: inputs as unknown as I, attrs: attrs as unknown as A });
      return outputs;
    } finally {
      gpu.free([outputs].flat());
    }
  };
  return { kernelName, reason, kernelFunc, probes };
}

/** For probes: a tensor of one value. */
export const filled = (shape: number[], value: number) => ({
  shape,
  data: new Array<number>(shape.reduce((product, n) => product * n, 1)).fill(value),
});

/** For probes: a tensor that repeats a few values. */
export const repeated = (shape: number[], values: readonly number[]) => ({
  shape,
  data: filled(shape, 0).data.map((_, i) => values[i % values.length]!),
});
