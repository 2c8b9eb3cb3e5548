import * as tf from '@tensorflow/tfjs-core';
import { boundPool, freeBytesLimit } from './bounded-pool';
import { installNodeGpu, mayHaveGpu } from './node-gpu';
import { isSoftwareDriver, type OpenBackend, softwareReason } from './open';

/** WebGPU: the browser's, or Dawn's in Node. */
export const openWebgpu: OpenBackend = async ({ allowSoftware }) => {
  if (!tf.env().getBool('IS_NODE')) return await openOn(navigator.gpu, allowSoftware);
  if (!allowSoftware && !mayHaveGpu()) throw new Error('this machine has no GPU');
  const { gpu, remove } = await installNodeGpu();
  try {
    const opened = await openOn(gpu, allowSoftware);
    const close = () => {
      opened.close?.();
      remove();
    };
    return { ...opened, close };
  } catch (error) {
    remove();
    throw error;
  }
};

async function openOn(gpu: GPU | undefined, allowSoftware: boolean): ReturnType<OpenBackend> {
  if (!gpu) throw new Error('there is no WebGPU here (browsers offer it to secure pages only)');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('WebGPU found no adapter');
  const { info } = adapter;
  const device =
    info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(' ') || 'GPU';
  const software =
    info.isFallbackAdapter || isSoftwareDriver(`${info.vendor} ${info.architecture} ${device}`);
  if (software && !allowSoftware) throw new Error(softwareReason(device));
  const gpuDevice = await requestDevice(adapter);
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  const backend = new WebGPUBackend(gpuDevice, info);
  boundPool(backend.bufferManager, freeBytesLimit(gpuDevice.limits));
  return { backend, device, software, close: () => gpuDevice.destroy() };
}

/**
 * Asks for what tfjs's own factory asks for, since its kernels count on the largest limits that the adapter has, and
 * for the extensions of WGSL that our kernels can use.
 */
async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  // tfjs's types of WebGPU do not know subgroups yet.
  const features = ['timestamp-query', 'bgra8unorm-storage', 'shader-f16', 'subgroups'] as GPUFeatureName[];
  const { limits } = adapter;
  return await adapter.requestDevice({
    requiredFeatures: features.filter((feature) => adapter.features.has(feature)),
    requiredLimits: {
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    },
  });
}
