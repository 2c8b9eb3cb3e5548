import * as tf from '@tensorflow/tfjs-core';
import type { OpenBackend } from './open';

type BackendFactory = () => tf.KernelBackend | Promise<tf.KernelBackend>;

/**
 * The factory that tfjs registers when its package is first imported: the only way to create a wasm backend. Kept,
 * because stopping the backend removes it from tfjs's list.
 */
let stockFactory: BackendFactory | undefined;

/** WebAssembly with SIMD; in browsers with several threads where the page is cross-origin isolated. */
export const openWasm: OpenBackend = async ({ wasmPaths }) => {
  if (typeof WebAssembly === 'undefined') throw new Error('there is no WebAssembly here');
  const { getThreadsCount, setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  stockFactory ??= tf.findBackendFactory('wasm');
  // In Node the package finds the files beside itself.
  if (wasmPaths) setWasmPaths(typeof wasmPaths === 'string' ? pathsIn(wasmPaths) : wasmPaths);
  else if (!tf.env().getBool('IS_NODE')) setWasmPaths(bundledPaths());
  const backend = await stockFactory();
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  return { backend, device: `${simd ? 'SIMD' : 'no SIMD'}, ${threads(getThreadsCount())}` };
};

/** Spelt out, because tfjs prefers addresses that it was once given for single files to a folder. */
const pathsIn = (folder: string): Record<string, string> =>
  Object.fromEntries(
    ['', '-simd', '-threaded-simd'].map((kind) => {
      const file = `tfjs-backend-wasm${kind}.wasm`;
      return [file, `${folder}${file}`];
    }),
  );

const threads = (count: number): string => (count === 1 ? '1 thread' : `${count} threads`);

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
