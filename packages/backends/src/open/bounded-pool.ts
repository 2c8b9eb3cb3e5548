import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

type BufferManager = WebGPUBackend['bufferManager'];

/** What tells buffers of the pool apart; those with the same size and usage are interchangeable. */
interface FreeBuffers {
  readonly size: number;
  readonly usage: number;
  count: number;
}

/** A quarter of the largest buffer that the device allows (256 MB to 4 GB in browsers), and at most 1 GB. */
export const freeBytesLimit = ({ maxBufferSize }: GPUSupportedLimits): number =>
  Math.min(2 ** 30, maxBufferSize / 4);

/**
 * Keeps the bytes of free buffers at or below `maxFreeBytes` (≥ 0). tfjs's manager keeps every freed buffer for a
 * request of exactly its size, which a tensor that grows, such as a cache of keys and values, never makes again.
 * What goes first is of the size that was asked for or freed the longest ago. To be called on a new manager.
 *
 * Destroying is safe at any time: the backend frees a buffer only after submitting the commands that use it, and
 * WebGPU finishes what was submitted.
 */
export function boundPool(manager: BufferManager, maxFreeBytes: number): void {
  /** Sizes that have free buffers, in the order of their last use. */
  const pool = new Map<string, FreeBuffers>();
  const acquire = manager.acquireBuffer.bind(manager);
  const release = manager.releaseBuffer.bind(manager);

  const track = <T>(size: number, usage: number, step: () => T): T => {
    const before = manager.getNumFreeBuffers();
    const result = step();
    const key = `${size}_${usage}`;
    const count = (pool.get(key)?.count ?? 0) + manager.getNumFreeBuffers() - before;
    pool.delete(key);
    if (count > 0) pool.set(key, { size, usage, count });
    return result;
  };

  const evict = (): void => {
    for (const [key, free] of pool) {
      while (free.count > 0) {
        if (manager.numBytesAllocated - manager.numBytesUsed <= maxFreeBytes) return;
        // Taken out and given back by the manager's own methods, so that its counters stay right.
        release(acquire(free.size, free.usage), false);
        free.count--;
      }
      pool.delete(key);
    }
  };

  manager.acquireBuffer = (size, usage, ...rest) => track(size, usage, () => acquire(size, usage, ...rest));
  manager.releaseBuffer = (buffer, reuse) => {
    track(buffer.size, buffer.usage, () => release(buffer, reuse));
    evict();
  };
}
