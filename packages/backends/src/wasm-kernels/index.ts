export { KERNELS as WASM_KERNELS, registerWasmKernels } from './register';
export { hasSimd, startPool } from './side-module';
export { type ThreadPool, threadCount } from './thread-pool';
