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
  /** Whether only the first output is wanted: nobody is going to ask for a gradient. */
  readonly resultOnly: boolean;
  readonly kernels: Exports;
  /** Where a tensor's floats lie. */
  address(tensor: tf.TensorInfo): number;
  /** Where the right side of a product with `rows` rows is to be read: a packed copy, if one is kept. */
  right(side: { tensor: tf.TensorInfo; n: number; k: number; transpose: boolean }, rows: number): Right;
  /** A new tensor, with undefined content. */
  output(shape: readonly number[], dtype?: 'float32' | 'int32'): tf.TensorInfo;
  /** The memory of a tensor; the view goes stale with the next allocation. */
  bytes(tensor: tf.TensorInfo): Uint8Array;
  /**
   * Where the new values of a variable go: in its own place, as the same data once more, or in a new tensor if anything
   * else holds its data, such as a clone or a tape, which must never change.
   */
  overwrite(variable: tf.TensorInfo): tf.TensorInfo;
  /** The floats of a tensor, in place. Good until the next allocation. */
  values(tensor: tf.TensorInfo): Float32Array;
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
 *
 * @param integers names of the inputs that are int32, not float32; or that each may be `either`
 */
export function wasmKernel<I, A>(
  kernelName: WasmKernel['kernelName'],
  reason: string,
  run: (call: Call<I, A>) => tf.TensorInfo | tf.TensorInfo[],
  integers: readonly string[] | 'either' = [],
): WasmKernel {
  let tools: { readonly backend: BackendWasm; readonly services: Services } | undefined;
  const kernelFunc = ({ inputs, attrs, backend, resultOnly = false }: KernelParams) => {
    checkTypes(kernelName, inputs, integers);
    // Registered for the wasm backend only.
    const wasm = backend as BackendWasm;
    // A decoding step calls hundreds of kernels, so what they need is not made anew for each.
    if (tools?.backend !== wasm) tools = { backend: wasm, services: servicesOf(wasm, kernelName) };
    return run({
      ...tools.services,
      inputs: inputs as unknown as I,
      attrs: attrs as unknown as A,
      resultOnly,
    });
  };
  return { kernelName, reason, kernelFunc };
}

/** @throws BackendError for an input of another type than its kernel reads; one that is left out has none. */
export function checkTypes(
  kernelName: string,
  inputs: { readonly [name: string]: tf.TensorInfo | undefined },
  integers: readonly string[] | 'either',
): void {
  if (integers === 'either') return;
  for (const name in inputs) {
    const expected = integers.includes(name) ? 'int32' : 'float32';
    const dtype = inputs[name]?.dtype ?? expected;
    if (dtype === expected) continue;
    throw new BackendError({
      component: `${kernelName} on wasm`,
      expected: `${name} of ${expected}`,
      actual: dtype,
    });
  }
}

/** What the op layer hands over; tfjs's engine knows nothing of the last. */
type KernelParams = Parameters<tf.KernelFunc>[0] & { resultOnly?: boolean };

type Services = Omit<Call<unknown, unknown>, 'inputs' | 'attrs' | 'resultOnly'>;

function servicesOf(wasm: BackendWasm, kernelName: string): Services {
  const kernels = sideModule(wasm);
  const heap = heapOf(wasm);
  const component = `${kernelName} on wasm`;
  return {
    kernels,
    address: ({ dataId }) => wasm.dataIdMap.get(dataId).memoryOffset,
    right: ({ tensor: { dataId }, ...side }, rows) => {
      const { memoryOffset } = wasm.dataIdMap.get(dataId);
      return packedWeights(wasm, kernels).find({ ...side, dataId, address: memoryOffset }, rows);
    },
    output: (shape, dtype = 'float32') => newTensor(wasm, component, shape, dtype),
    bytes: (tensor) => {
      const { buffer, byteOffset, byteLength } = wasm.typedArrayFromHeap(tensor);
      return new Uint8Array(buffer, byteOffset, byteLength);
    },
    overwrite: ({ dataId, shape, dtype }) => {
      // Not `refCount`, which counts no holder of data that still lies on another backend.
      if (wasm.dataIdMap.get(dataId).refCount > 1) return newTensor(wasm, component, shape, dtype);
      wasm.incRef(dataId);
      markChanged(wasm, dataId);
      return { dataId, shape, dtype };
    },
    values: (tensor) => wasm.typedArrayFromHeap(tensor) as Float32Array,
    fill: (tensor, value) => {
      wasm.typedArrayFromHeap(tensor).fill(value);
    },
    read: (scalar) => wasm.typedArrayFromHeap(scalar)[0]!,
    withScratch: (bytes, use) => withScratch(component, heap, bytes, (address) => use(address, heap.memory)),
  };
}

/** tfjs goes on at address 0 where the memory is full, among what its module keeps there. */
function newTensor(
  wasm: BackendWasm,
  component: string,
  shape: readonly number[],
  dtype: tf.DataType,
): tf.TensorInfo {
  const info = wasm.makeOutput([...shape], dtype);
  if (wasm.dataIdMap.get(info.dataId).memoryOffset !== 0) return info;
  wasm.disposeData(info.dataId);
  throw new BackendError({
    component,
    expected: `memory for a tensor of [${shape.join(', ')}]`,
    actual: 'the memory is full',
  });
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** float32[…, D] as rows of D. */
export function rowsOf({ shape }: tf.TensorInfo): { rows: number; width: number } {
  const width = shape.at(-1) ?? 1;
  return { rows: sizeOf(shape.slice(0, -1)), width };
}
