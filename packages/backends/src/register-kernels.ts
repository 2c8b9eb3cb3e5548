import { BackendError } from '@mmllm/core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { registerKernels } from './kernels';
import type { BackendName } from './names';
import type { RegisteredKernel } from './report';
import { registerWasmKernels, WASM_KERNELS } from './wasm-kernels';
import { type GpuPrecision, registerWebgpuKernels, WEBGPU_KERNELS } from './webgpu-kernels';

/** Kernels of the op layer to leave to its references: their names, or all of them. */
export type KernelsOff = 'all' | readonly string[];

export interface KernelOptions {
  readonly gpuPrecision?: GpuPrecision | undefined;
  readonly kernelsOff?: KernelsOff | undefined;
  readonly probeKernels?: boolean | undefined;
}

/**
 * Registers all kernels of ours for the current backend, whose name this is: those that mend it, and the faster ones
 * of the op layer, but for those that are turned off.
 *
 * @returns what is in place, and what was turned off.
 */
export async function registerAllKernels(
  name: BackendName,
  { kernelsOff = [], ...options }: KernelOptions = {},
): Promise<RegisteredKernel[]> {
  const fixes = registerKernels(name).map(({ kernelName, reason }) => ({ kernelName, reason }));
  const fast = await registerFastKernels(name, options);
  const isOff = ({ kernelName }: RegisteredKernel) => kernelsOff === 'all' || kernelsOff.includes(kernelName);
  return [...fixes, ...fast.map((kernel) => (isOff(kernel) ? turnOff(kernel, name) : kernel))];
}

/** @throws {BackendError} for a name that no kernel has, on any backend. */
export function checkKernelsOff(kernelsOff: KernelsOff = []): void {
  if (kernelsOff === 'all') return;
  const known = new Set([...WASM_KERNELS, ...WEBGPU_KERNELS].map(({ kernelName }) => String(kernelName)));
  const unknown = kernelsOff.find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw new BackendError({
    component: 'backends.kernelsOff',
    expected: `'all', or some of ${[...known].sort().join(', ')}`,
    actual: unknown,
  });
}

async function registerFastKernels(
  name: BackendName,
  { gpuPrecision: precision, probeKernels: probe }: KernelOptions,
): Promise<RegisteredKernel[]> {
  if (name === 'wasm') return registerWasmKernels(tf.backend() as BackendWasm);
  if (name === 'webgpu')
    return await registerWebgpuKernels(tf.backend() as WebGPUBackend, { precision, probe });
  return [];
}

/** Where there is no kernel, the op layer registers its reference at the next call. */
function turnOff({ kernelName }: RegisteredKernel, backend: BackendName): RegisteredKernel {
  if (tf.getKernel(kernelName, backend)) tf.unregisterKernel(kernelName, backend);
  return { kernelName, reason: 'turned off: the reference runs' };
}
