import { afterEach, describe, expect, it } from 'vitest';
import { startBackend, stopBackend } from './index';

afterEach(async () => {
  await stopBackend();
});

describe('startBackend in a browser', () => {
  it('prefers wasm to emulated GPUs, and says what it left out', async () => {
    const report = await startBackend();
    expect(report.backend).toBe('wasm');
    expect(report.rejected).toMatchObject([
      { backend: 'webgpu', reason: expect.stringContaining('emulated on the processor') },
      { backend: 'webgl', reason: expect.stringContaining('emulated on the processor') },
    ]);
  });

  it('runs threads where the page may share memory', async () => {
    expect(crossOriginIsolated).toBe(true);
    expect((await startBackend({ backend: 'wasm', threads: 3 })).device).toBe('SIMD, 3 threads');
    expect((await startBackend({ backend: 'wasm' })).device).toBe('SIMD, 3 threads');
    expect((await startBackend({ backend: 'wasm', threads: 1 })).device).toBe('SIMD, 1 thread');
  });

  it('starts again after a stop', async () => {
    for (const backend of ['webgl', 'webgpu', 'wasm', 'webgl', 'webgpu', 'wasm'] as const) {
      expect((await startBackend({ backend, probeKernels: false })).backend).toBe(backend);
      await stopBackend();
    }
  });

  it('says so where the binaries of wasm are not found', async () => {
    const wasmPaths = new URL('/nowhere/', location.href).href;
    await expect(startBackend({ backend: 'wasm', wasmPaths })).rejects.toThrow(
      'expected a working wasm backend',
    );
  });
});
