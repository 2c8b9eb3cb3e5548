import * as tf from '@tensorflow/tfjs-core';
import { afterAll, expect, it } from 'vitest';
import { matmul } from '../../nn/src/ops';
import { explainBackend, startBackend, stopBackend } from './index';

afterAll(stopBackend);

const kernelOf = (name: string): tf.KernelFunc | undefined => tf.getKernel(name, 'wasm')?.kernelFunc;

async function product(): Promise<number[]> {
  const out = tf.tidy(() => matmul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2])));
  const values = [...(await out.data())];
  out.dispose();
  return values;
}

it('turns kernels off, says so, and turns them on again at the next start', async () => {
  await startBackend({ backend: 'wasm' });
  const ours = kernelOf('mmllm/MatMul');
  const before = await product();
  const { kernels } = await startBackend({ backend: 'wasm', kernelsOff: ['mmllm/MatMul'] });
  expect(kernelOf('mmllm/MatMul')).toBeUndefined();
  expect(kernelOf('mmllm/Linear')).toBeDefined();
  expect(kernels.find(({ kernelName }) => kernelName === 'mmllm/MatMul')?.reason).toMatch(/^turned off/);
  expect(explainBackend()).toContain('mmllm/MatMul: turned off: the reference runs');
  expect(await product()).toEqual(before);
  expect(kernelOf('mmllm/MatMul')).not.toBe(ours);
  await startBackend({ backend: 'wasm' });
  expect(kernelOf('mmllm/MatMul')).toBe(ours);
  expect(explainBackend()).not.toContain('turned off');
});

it('turns all of the op layer off, but not what mends the backend', async () => {
  const { kernels } = await startBackend({ backend: 'wasm', kernelsOff: 'all' });
  for (const { kernelName, reason } of kernels) {
    expect(reason.startsWith('turned off')).toBe(kernelName.startsWith('mmllm/'));
  }
  expect(await product()).toEqual([19, 22, 43, 50]);
});

it('refuses a name that no kernel has', async () => {
  await expect(startBackend({ backend: 'wasm', kernelsOff: ['mmllm/Matmul'] })).rejects.toThrow(
    /backends\.kernelsOff: expected 'all', or some of mmllm\/.*, got mmllm\/Matmul/,
  );
  const { kernels } = await startBackend({ backend: 'cpu', kernelsOff: ['mmllm/MatMul'] });
  expect(kernels.some(({ kernelName }) => kernelName === 'mmllm/MatMul')).toBe(false);
});
