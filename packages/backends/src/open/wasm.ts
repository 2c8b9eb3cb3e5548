import * as tf from '@tensorflow/tfjs-core';
import type { OpenBackend, WasmPaths } from './open';
import { canShareMemory, sharedBinary } from './shared-memory';

type BackendFactory = () => tf.KernelBackend | Promise<tf.KernelBackend>;

/**
 * The factory that tfjs registers when its package is first imported: the only way to create a wasm backend. Kept,
 * because stopping the backend removes it from tfjs's list.
 */
let stockFactory: BackendFactory | undefined;

const SIMD_BINARY = 'tfjs-backend-wasm-simd.wasm';
const BINARIES = ['tfjs-backend-wasm.wasm', SIMD_BINARY, 'tfjs-backend-wasm-threaded-simd.wasm'];

/** WebAssembly with SIMD; where memory can be shared, so that threads of our own may work in it. */
export const openWasm: OpenBackend = async ({ wasmPaths }) => {
  if (typeof WebAssembly === 'undefined') throw new Error('there is no WebAssembly here');
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  stockFactory ??= tf.findBackendFactory('wasm');
  const isNode = tf.env().getBool('IS_NODE');
  const stock = wasmPaths ? pathsOf(wasmPaths) : isNode ? undefined : bundledPaths();
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  // The stock threaded build would bring threads of its own.
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  const shared =
    simd && canShareMemory() ? await sharedBinary(stock?.[SIMD_BINARY]).catch(() => undefined) : undefined;
  if (shared) setWasmPaths(Object.fromEntries(BINARIES.map((name) => [name, shared])), true);
  // In Node the package finds the files beside itself.
  else if (stock) setWasmPaths(stock);
  const backend = await stockFactory();
  return { backend, device: simd ? 'SIMD' : 'no SIMD' };
};

/** Spelt out, because tfjs prefers addresses that it was once given for single files to a folder. */
const pathsOf = (paths: WasmPaths): Record<string, string> =>
  typeof paths === 'string' ? Object.fromEntries(BINARIES.map((name) => [name, `${paths}${name}`])) : paths;

/**
 * Addresses that bundlers understand: Vite and webpack copy each file named in this form and write its new address
 * in its place, which is why no part of it can be computed.
 */
function bundledPaths(): Record<string, string> {
  return {
    'tfjs-backend-wasm.wasm': new URL(
      '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm',
      import.meta.url,
    ).href,
    'tfjs-backend-wasm-simd.wasm': new URL(
      '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm',
      import.meta.url,
    ).href,
    'tfjs-backend-wasm-threaded-simd.wasm': new URL(
      '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm',
      import.meta.url,
    ).href,
  };
}
