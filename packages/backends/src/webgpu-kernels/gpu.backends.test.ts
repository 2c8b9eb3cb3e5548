import { BackendError } from '@mmllm/core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { Gpu, gpuState } from './gpu';
import { describeOnWebgpu } from './testing/on-webgpu';

describeOnWebgpu('a tensor that no shader can be given', () => {
  it('is refused, where WebGPU would leave zeros', () => {
    const gpu = new Gpu(gpuState(tf.backend() as WebGPUBackend), 'mmllm/Test');
    const shape = [gpu.limits.maxStorageBufferBindingSize / 4 + 1];
    const before = tf.memory().numBytes;
    expect(() => gpu.elements({ name: 'TooLarge', inputs: {}, shape, value: () => '0.0' })).toThrow(
      BackendError,
    );
    expect(tf.memory().numBytes).toBe(before);
  });
});
