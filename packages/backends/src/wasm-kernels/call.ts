import { BackendError } from '@mmllm/core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type * as tf from '@tensorflow/tfjs-core';
import { markChanged } from './changed';
import { packedWeights, type Right } from './packed-weights';
import { withScratch } from './scratch';
import { type Exports, heapOf, sideModule } from './side-module';

/** One call of a kernel: its inputs and attributes by their own types, and what it needs of the backend. */
export interface Call<I, A> {
  readonly inputs: I;
  readonly attrs: A;
  readonly kernels: Exports;
  /** Where a tensor's floats lie. */
  address(tensor: tf.TensorInfo): number;
  /** Where the right side of a product with `rows` rows is to be read: a packed copy, if one is kept. */
  right(side: { tensor: tf.TensorInfo; n: number; k: number; transpose: boolean }, rows: number): Right;
  /** A new float32 tensor, with undefined content. */
  output(shape: readonly number[]): tf.TensorInfo;
  /**
   * Where the new values of a variable go: in its own place, as the same data once more, or in a new tensor if anything
   * else holds its data, such as a clone or a tape, which must never change.
   */
  overwrite(variable: tf.TensorInfo): tf.TensorInfo;
  /** Sets every element of a float32 tensor. */
  fill(tensor: tf.TensorInfo, value: number): void;
  /** The value of a float32 scalar: main memory, so nothing is waited for. */
  read(scalar: tf.TensorInfo): number;
  /** Lends memory for the time of `use`, 8-byte aligned. Allocate outputs before: views that are taken there go stale. */
  withScratch(bytes: number, use: (address: number, memory: WebAssembly.Memory) => void): void;
}

/** A kernel under the op layer's name, in terms of a `Call`. */
export interface WasmKernel {
  readonly kernelName: `mmllm/${string}`;
  readonly reason: string;
  readonly kernelFunc: tf.KernelFunc;
}

/**
 * Wraps `run` as a tfjs kernel. The op layer is the only caller, so inputs and attributes are what its kernel of this
 * name documents.
 */
export function wasmKernel<I, A>(
  kernelName: WasmKernel['kernelName'],
  reason: string,
  run: (call: Call<I, A>) => tf.TensorInfo | tf.TensorInfo[],
): WasmKernel {
  const kernelFunc: tf.KernelFunc = ({ inputs, attrs, backend }) => {
    for (const [name, tensor] of Object.entries(inputs)) {
      if (tensor && tensor.dtype !== 'float32') {
        throw new BackendError({
          component: `${kernelName} on wasm`,
          expected: `${name} of float32`,
          actual: tensor.dtype,
        });
      }
    }
    // Registered for the wasm backend only.
    const wasm = backend as BackendWasm;
    return run({
      inputs: inputs as unknown as I,
      attrs: attrs as unknown as A,
      kernels: sideModule(wasm),
      address: ({ dataId }) => wasm.dataIdMap.get(dataId).memoryOffset,
      right: ({ tensor: { dataId }, ...side }, rows) => {
        const { memoryOffset } = wasm.dataIdMap.get(dataId);
        return packedWeights(wasm, sideModule(wasm)).find({ ...side, dataId, address: memoryOffset }, rows);
      },
      output: (shape) => wasm.makeOutput([...shape], 'float32'),
      overwrite: ({ dataId, shape, dtype }) => {
        if (wasm.refCount(dataId) > 1) return wasm.makeOutput([...shape], dtype);
        wasm.incRef(dataId);
        markChanged(dataId);
        return { dataId, shape, dtype };
      },
      fill: (tensor, value) => {
        wasm.typedArrayFromHeap(tensor).fill(value);
      },
      read: (scalar) => wasm.typedArrayFromHeap(scalar)[0]!,
      withScratch: (bytes, use) => {
        const heap = heapOf(wasm);
        withScratch(`${kernelName} on wasm`, heap, bytes, (address) => use(address, heap.memory));
      },
    });
  };
  return { kernelName, reason, kernelFunc };
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** float32[…, D] as rows of D. */
export function rowsOf({ shape }: tf.TensorInfo): { rows: number; width: number } {
  const width = shape.at(-1) ?? 1;
  return { rows: width === 0 ? 0 : sizeOf(shape) / width, width };
}
