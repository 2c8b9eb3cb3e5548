export { checkShaders, type GpuPrecision } from './gpu';
export { KERNELS as WEBGPU_KERNELS, registerWebgpuKernels } from './register';
