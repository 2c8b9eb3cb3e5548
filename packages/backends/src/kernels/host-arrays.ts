import type { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type * as tf from '@tensorflow/tfjs-core';

export type HostArray = Float32Array | Int32Array | Uint8Array;

/** What a kernel written in JavaScript needs of a backend whose tensors lie in main memory. */
export interface HostMemory {
  /** Allocates a tensor. Its content is undefined. */
  allocate(shape: number[], dtype: tf.DataType): tf.TensorInfo;
  /**
   * The elements in place. Take it after the last `allocate`, and never keep it: wasm memory that grows leaves older
   * views empty.
   */
  view(tensor: tf.TensorInfo): HostArray;
}

/** The memory of tfjs's wasm backend: views onto the WebAssembly heap. */
export const wasmMemory = (backend: BackendWasm): HostMemory => ({
  allocate: (shape, dtype) => backend.makeOutput(shape, dtype),
  view: (tensor) => backend.typedArrayFromHeap(tensor),
});

/** The memory of tfjs's cpu backend: typed arrays. */
export const cpuMemory = (backend: MathBackendCPU): HostMemory => ({
  allocate: (shape, dtype) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const values = dtype === 'float32' ? new Float32Array(size) : new Int32Array(size);
    return backend.makeTensorInfo(shape, dtype, values);
  },
  // Numeric tensors are typed arrays there; the declared type also allows for strings.
  view: (tensor) => backend.data.get(tensor.dataId).values as HostArray,
});
