import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { BackendError } from '@mmllm/core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { activate, defineKernel } from '../../../nn/src/ops';
import { checkBackend } from '../index';
import { filled, type WebgpuKernel, webgpuKernel } from './kernel';
import { registerWebgpuKernels } from './register';
import { describeOnWebgpu } from './testing/on-webgpu';

const backend = () => tf.backend() as WebGPUBackend;

let count = 0;

/** An op that doubles, whose kernel on webgpu does not compile, or triples, where its attributes say so. */
function doubling() {
  const name = `mmllm/Doubled${count++}` as const;
  const run = defineKernel<{ x: tf.Tensor }, { shader: string }>({
    name,
    reference: ({ x }) => tf.mul(x, 2),
  });
  const kernelFor = (probed: string): WebgpuKernel =>
    webgpuKernel<{ x: tf.TensorInfo }, { shader: string }>(
      name,
      'for a test',
      ({ gpu, inputs: { x }, attrs: { shader } }) =>
        gpu.elements({
          name: `${name} ${shader}`,
          inputs: { x },
          shape: x.shape,
          value: () => ({ good: '2.0 * x[i]', broken: 'no such thing', wrong: '3.0 * x[i]' })[shader]!,
        }),
      [{ inputs: { x: filled([2], 1) }, attrs: { shader: probed }, expected: [[2, 2]] }],
    );
  const double = (x: tf.Tensor, shader: string) => run({ x }, { shader })[0]!;
  const register = (probed = 'good', probe?: boolean) =>
    registerWebgpuKernels(backend(), { probe }, [kernelFor(probed)]);
  return { name, double, register };
}

describeOnWebgpu('a shader that does not compile', () => {
  const log = vi.fn();

  beforeEach(() => {
    for (const level of ['log', 'warn', 'error'] as const) {
      vi.spyOn(console, level).mockImplementation(log);
    }
    backend().device.addEventListener('uncapturederror', log);
  });

  afterEach(() => {
    backend().device.removeEventListener('uncapturederror', log);
    vi.restoreAllMocks();
    expect(log).not.toHaveBeenCalled();
  });

  it('leaves its kernel to the reference, if that shows at the start', async () => {
    const { name, double, register } = doubling();
    const [report] = await register('broken');
    expect(report!.kernelName).toBe(name);
    expect(report!.reason).toMatch(/^left to the reference: mmllm\/Doubled\d+ broken: .*WGSL/);
    const out = double(tf.tensor1d([1, 2]), 'broken');
    await assertTensorsClose(out, { shape: [2], data: [2, 4] }, { tolerance: 0 });
    await checkBackend();
    tf.dispose(out);
  });

  it('is told from one that computes wrongly, which the start finds as well', async () => {
    const [report] = await doubling().register('wrong');
    expect(report!.reason).toBe('left to the reference: it computes 3');
  });

  it('is not looked for where nobody asks, until somebody does', async () => {
    const { register } = doubling();
    const [untried] = await register('wrong', false);
    expect(untried!.reason).toMatch(/^for a test/);
    const [tried] = await register('wrong');
    expect(tried!.reason).toBe('left to the reference: it computes 3');
  });

  it('lets no value be read, once, and the reference takes over', async () => {
    const { name, double, register } = doubling();
    await register();
    const x = tf.tensor1d([1, 2]);
    const before = tf.add(x, 1);
    const out = double(x, 'broken');
    const error: unknown = await out.data().catch((reason: unknown) => reason);
    expect(BackendError.isInstance(error)).toBe(true);
    expect(String(error)).toContain(`${name} on webgpu: expected a shader that this device accepts`);
    // What was queued beside it is not lost.
    await assertTensorsClose(before, { shape: [2], data: [2, 3] }, { tolerance: 0 });
    const again = double(x, 'broken');
    await assertTensorsClose(again, { shape: [2], data: [2, 4] }, { tolerance: 0 });
    tf.dispose([x, before, out, again]);
  });

  it('stops the next kernel of ours', async () => {
    const { double, register } = doubling();
    await register();
    const x = tf.tensor1d([1, 2]);
    tf.dispose(double(x, 'broken'));
    await backend().device.queue.onSubmittedWorkDone();
    await vi.waitFor(() => expect(() => activate(x, 'relu').dispose()).toThrow(BackendError));
    const out = activate(x, 'relu');
    await assertTensorsClose(out, { shape: [2], data: [1, 2] }, { tolerance: 0 });
    tf.dispose([x, out]);
  });

  it('is reported by checkBackend, and leaves nothing behind', async () => {
    const { double, register } = doubling();
    await register();
    await expectNoLeak(async () => {
      const x = tf.tensor1d([1, 2]);
      tf.dispose([double(x, 'broken'), x]);
      await expect(checkBackend()).rejects.toThrow(BackendError);
      await checkBackend();
    });
  });

  it('says nothing of good ones', async () => {
    const { double, register } = doubling();
    const [report] = await register();
    expect(report!.reason).toBe('for a test (WGSL, float32)');
    const out = double(tf.tensor1d([1, 2]), 'good');
    await checkBackend();
    await assertTensorsClose(out, { shape: [2], data: [2, 4] }, { tolerance: 0 });
    out.dispose();
  });
});
