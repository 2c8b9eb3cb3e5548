import { assertTensorsClose } from '@mmllm/conformance';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { layerNorm, logSumExp, matmul } from '../../../nn/src/ops';
import { explainBackend, startBackend } from '../index';
import { gpuState } from './gpu';
import { KERNELS, registerWebgpuKernels } from './register';
import { describeOnWebgpu, expectSameAsCpu, onWebgpu, randomHost, withGradients } from './testing/on-webgpu';

const backend = () => tf.backend() as WebGPUBackend;
const kernelOf = (name: string): tf.KernelFunc | undefined => tf.getKernel(name, 'webgpu')?.kernelFunc;

describeOnWebgpu('registerWebgpuKernels', () => {
  it('says what it registered, and changes nothing when called again', async () => {
    await tf.setBackend('webgpu');
    const registered = await registerWebgpuKernels(backend());
    expect(registered.map(({ kernelName }) => kernelName)).toEqual(
      KERNELS.map(({ kernelName }) => kernelName),
    );
    for (const { reason } of registered) expect(reason).toMatch(/\(WGSL, float32\)$/);
    const before = registered.map(({ kernelName }) => kernelOf(kernelName));
    await registerWebgpuKernels(backend());
    expect(registered.map(({ kernelName }) => kernelOf(kernelName))).toEqual(before);
    for (const { kernelName } of KERNELS) expect(explainBackend()).toContain(`  ${kernelName}: `);
  });

  it('takes the place of a reference, which comes back where it is forced off', async () => {
    const product = (...[a, b]: tf.Tensor[]) => matmul(a!, b!);
    const inputs = [randomHost([9, 5], 1), randomHost([5, 3], 2)];
    const ours = kernelOf('mmllm/MatMul');
    const [fast] = await onWebgpu(product, inputs);
    tf.unregisterKernel('mmllm/MatMul', 'webgpu');
    const [slow] = await onWebgpu(product, inputs);
    expect(kernelOf('mmllm/MatMul')).not.toBe(ours);
    await assertTensorsClose(fast!, slow!, { tolerance: 1e-6 });
    await registerWebgpuKernels(backend());
    expect(kernelOf('mmllm/MatMul')).toBe(ours);
  });

  it('sums over rows with subgroups and without', async () => {
    const hasSubgroups = backend().device.features.has('subgroups' as GPUFeatureName);
    const norm = withGradients((...[x, gain]) => layerNorm(x!, gain!, undefined, 1e-5));
    for (const subgroups of [false, true]) {
      await tf.setBackend('webgpu');
      await registerWebgpuKernels(backend(), { subgroups });
      expect(gpuState(backend()).settings.subgroupSize > 1).toBe(hasSubgroups && subgroups);
      await expectSameAsCpu(norm, [randomHost([5, 700], 1), randomHost([700], 2)], 5e-5);
      await expectSameAsCpu((...[x]) => logSumExp(x!), [randomHost([5, 90], 1, 30)], 1e-5);
    }
  });

  it('computes products in float16 where that is asked for and there', async () => {
    await tf.setBackend('webgpu');
    const hasHalf = backend().device.features.has('shader-f16');
    const { kernels } = await startBackend({ backend: 'webgpu', gpuPrecision: 'float16' });
    const { reason } = kernels.find(({ kernelName }) => kernelName === 'mmllm/MatMul')!;
    expect(reason).toContain(hasHalf ? 'float16' : 'float32');
    const product = (...[a, b]: tf.Tensor[]) => matmul(a!, b!);
    await expectSameAsCpu(product, [randomHost([40, 30], 1), randomHost([30, 20], 2)], hasHalf ? 1e-2 : 1e-5);
    await startBackend({ backend: 'webgpu' });
    expect(gpuState(backend()).settings.precision).toBe('float32');
  });

  it('refuses what is not float32', async () => {
    const [a, b] = [tf.ones([2, 2], 'int32'), tf.ones([2, 2])];
    expect(() => matmul(a, b)).toThrow('mmllm/MatMul on webgpu: expected a of float32, got int32');
    tf.dispose([a, b]);
  });

  it('holds no more memory with every call', async () => {
    const x = randomHost([33, 40], 1);
    const run = () =>
      onWebgpu(
        withGradients((...[a]) => matmul(a!, a!, { transposeB: true })),
        [x],
      );
    for (let i = 0; i < 3; i++) await run();
    const { numBytesAllocated } = backend().bufferManager;
    for (let i = 0; i < 20; i++) await run();
    expect(backend().bufferManager.numBytesAllocated).toBe(numBytesAllocated);
  });
});
