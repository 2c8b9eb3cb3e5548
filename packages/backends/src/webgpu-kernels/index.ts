export { checkShaders, type GpuPrecision } from './gpu';
export { registerWebgpuKernels } from './register';
