export { BACKEND_NAMES, type BackendName } from './names';
export type { WasmPaths } from './open/open';
export { type BackendReport, describeBackend, type RegisteredKernel, type RejectedBackend } from './report';
export { explainBackend, type StartOptions, startBackend, stopBackend } from './start';
