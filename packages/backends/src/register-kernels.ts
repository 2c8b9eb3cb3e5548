import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { registerKernels } from './kernels';
import type { BackendName } from './names';
import type { RegisteredKernel } from './report';
import { registerWasmKernels } from './wasm-kernels';
import { type GpuPrecision, registerWebgpuKernels } from './webgpu-kernels';

/**
 * Registers all kernels of ours for the current backend, whose name this is: those that mend it, and the faster ones
 * of the op layer.
 *
 * @returns what is in place.
 */
export async function registerAllKernels(
  name: BackendName,
  gpuPrecision?: GpuPrecision,
): Promise<RegisteredKernel[]> {
  const fixes = registerKernels(name).map(({ kernelName, reason }) => ({ kernelName, reason }));
  return [...fixes, ...(await registerFastKernels(name, gpuPrecision))];
}

async function registerFastKernels(name: BackendName, precision?: GpuPrecision): Promise<RegisteredKernel[]> {
  if (name === 'wasm') return registerWasmKernels(tf.backend() as BackendWasm);
  if (name === 'webgpu') return await registerWebgpuKernels(tf.backend() as WebGPUBackend, { precision });
  return [];
}
