import { startBackend } from '@mmllm/backends';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { profileKernels } from './profile.ts';

it('counts kernels by name and size, those in plain ops without what they call, and leaves them as they were', async () => {
  await startBackend({ backend: 'cpu' });
  const kernel = tf.getKernel('Square', 'cpu').kernelFunc;
  const x = tf.ones([2, 3]);
  const { ms, byKernel, bySize } = await profileKernels(async () => {
    tf.tidy(() => tf.square(tf.square(x)));
  });
  expect(byKernel).toEqual([{ kernel: 'Square', calls: 2, ms: expect.any(Number) }]);
  expect(bySize).toEqual([{ kernel: 'Square x[2,3]', calls: 2, ms: expect.any(Number) }]);
  expect(byKernel[0].ms).toBeLessThanOrEqual(ms);
  expect(tf.getKernel('Square', 'cpu').kernelFunc).toBe(kernel);
  x.dispose();
});
