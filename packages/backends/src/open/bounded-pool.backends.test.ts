import { expectNoLeak } from '@mmllm/conformance';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { boundPool, freeBytesLimit } from './bounded-pool';

describeBackends('boundPool', (backend) => {
  if (backend !== 'webgpu') {
    it('is for webgpu alone', () => expect(tf.backend()).not.toHaveProperty('bufferManager'));
    return;
  }

  const running = () => tf.backend() as WebGPUBackend;
  const freeBytes = ({ numBytesAllocated, numBytesUsed }: WebGPUBackend['bufferManager']) =>
    numBytesAllocated - numBytesUsed;
  const storage = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

  /** A manager of its own on the running device, with room for 100 free bytes. */
  async function smallManager() {
    const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
    const { device } = running();
    const { bufferManager } = new WebGPUBackend(device, device.adapterInfo);
    boundPool(bufferManager, 100);
    return bufferManager;
  }

  it('reuses free buffers below the bound', async () => {
    const manager = await smallManager();
    const [a, b] = [manager.acquireBuffer(40, storage()), manager.acquireBuffer(60, storage())];
    manager.releaseBuffer(a);
    manager.releaseBuffer(b);
    expect(manager.getNumFreeBuffers()).toBe(2);
    expect(manager.acquireBuffer(40, storage())).toBe(a);
    expect(manager.acquireBuffer(60, storage())).toBe(b);
    expect([manager.getNumFreeBuffers(), manager.getNumUsedBuffers()]).toEqual([0, 2]);
    expect([manager.numBytesUsed, manager.numBytesAllocated]).toEqual([100, 100]);
    manager.dispose();
  });

  it('destroys what was used the longest ago, and counts it', async () => {
    const manager = await smallManager();
    const [a, b, c] = [40, 44, 48].map((size) => manager.acquireBuffer(size, storage()));
    manager.releaseBuffer(a!);
    manager.releaseBuffer(b!);
    // In use again in between, so that b is the oldest now.
    manager.releaseBuffer(manager.acquireBuffer(40, storage()));
    manager.releaseBuffer(c!);
    expect([manager.getNumFreeBuffers(), manager.getNumUsedBuffers()]).toEqual([2, 0]);
    expect([manager.numBytesUsed, manager.numBytesAllocated]).toEqual([0, 88]);
    expect(manager.acquireBuffer(44, storage())).not.toBe(b);
    expect(manager.acquireBuffer(40, storage())).toBe(a);
    expect(manager.acquireBuffer(48, storage())).toBe(c);
    manager.dispose();
  });

  it('keeps no buffer that is larger than the bound', async () => {
    const manager = await smallManager();
    manager.releaseBuffer(manager.acquireBuffer(104, storage()));
    expect([manager.getNumFreeBuffers(), manager.numBytesAllocated]).toEqual([0, 0]);
    manager.dispose();
  });

  it('bounds what a hundred sizes of tensors leave behind, and keeps their values', async () => {
    const { bufferManager, device } = running();
    const bound = freeBytesLimit(device.limits);
    // A quarter more than the bound in all.
    const size = Math.ceil(bound / 320);
    device.pushErrorScope('validation');
    await expectNoLeak(async () => {
      for (let i = 0; i < 100; i++) {
        const last = tf.tidy(() => tf.slice(tf.fill([size + i], i), [size - 1], [1]));
        // Reading also submits what is queued, the last of it for i = 99.
        if (i % 11 === 0) expect([...(await last.data())]).toEqual([i]);
        last.dispose();
        expect(freeBytes(bufferManager)).toBeLessThanOrEqual(bound);
      }
    });
    expect(await device.popErrorScope()).toBeNull();
    // The last sizes are still there: the pool was emptied no further than needed.
    expect(freeBytes(bufferManager)).toBeGreaterThan(bound / 2);
    const before = bufferManager.numBytesAllocated;
    tf.fill([size + 99], 1).dispose();
    expect(bufferManager.numBytesAllocated - before).toBeLessThan(size);
  });
});
