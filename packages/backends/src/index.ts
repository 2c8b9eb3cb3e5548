export { registerGradients } from './gradients';
export { BACKEND_NAMES, type BackendName } from './names';
export type { WasmPaths } from './open/open';
export type { KernelsOff } from './register-kernels';
export { type BackendReport, describeBackend, type RegisteredKernel, type RejectedBackend } from './report';
export { checkBackend, explainBackend, type StartOptions, startBackend, stopBackend } from './start';
export type { GpuPrecision } from './webgpu-kernels';
