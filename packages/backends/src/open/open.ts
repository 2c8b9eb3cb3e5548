import type { KernelBackend } from '@tensorflow/tfjs-core';

/** A backend that was created and not yet handed to tfjs. */
export interface OpenedBackend {
  backend: KernelBackend;
  /** What it runs on, where that can be told: `NVIDIA H200`. */
  device?: string;
  /** True for a GPU that is emulated on the processor. */
  software?: boolean;
  /** Frees what `backend.dispose()` does not. */
  close?: () => void;
}

export interface OpenOptions {
  /** False refuses a GPU that is emulated on the processor. */
  allowSoftware: boolean;
  /** Where the wasm binaries lie; only the wasm backend looks at it. */
  wasmPaths?: WasmPaths;
}

/** A folder's address that ends in a slash, or the address of each of the three binaries by its file name. */
export type WasmPaths = string | Record<string, string>;

/** Creates a backend. Throws an error whose message is the reason why it cannot be had here. */
export type OpenBackend = (options: OpenOptions) => Promise<OpenedBackend>;

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|\bwarp\b|\bcpu\b/i;

/** True for the name of a GPU driver that renders on the processor. */
export const isSoftwareDriver = (device: string): boolean => SOFTWARE.test(device);

/** The reason for which an emulated GPU is refused. */
export const softwareReason = (device = 'its GPU'): string =>
  `${device} is emulated on the processor, slower than wasm; ask for it by name to use it all the same`;
