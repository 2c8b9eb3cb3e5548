import { BackendError } from '@mmllm/core';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, inject, it, vi } from 'vitest';
import {
  BACKEND_NAMES,
  type BackendReport,
  describeBackend,
  explainBackend,
  startBackend,
  stopBackend,
} from './index';
import { isSoftwareDriver } from './open/open';

afterEach(async () => {
  await stopBackend();
});

const refusal = async (start: Promise<unknown>): Promise<BackendError> => {
  const error: unknown = await start.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!BackendError.isInstance(error)) throw new Error(`expected a BackendError, got ${error}`);
  return error;
};

describe('startBackend in Node', () => {
  it('takes the first that works, and says what it left out', async () => {
    const report = await startBackend();
    expect(report.reason).toBe('the fastest kind that works here');
    const left = BACKEND_NAMES.slice(0, BACKEND_NAMES.indexOf(report.backend));
    expect(report.rejected.map(({ backend }) => backend)).toEqual(left);
    const reasons = report.rejected.map(({ backend, reason }) => `${backend}: ${reason}`).join('; ');
    const line = `${report.backend} (${report.device}): ${report.reason}`;
    expect(describeBackend(report)).toBe(reasons ? `${line}; left out ${reasons}` : line);
  });

  it('falls back to wasm with a software GPU, also if that runs already', async () => {
    const named = await Promise.allSettled([startBackend({ backend: 'webgpu' })]);
    const report = await startBackend();
    const works = named[0].status === 'fulfilled';
    const hardware = named[0].status === 'fulfilled' && !isSoftwareDriver(named[0].value.device!);
    expect(report.backend).toBe(hardware ? 'webgpu' : 'wasm');
    if (works && !hardware) expect(report.rejected[0]?.reason).toContain('emulated on the processor');
    if (!hardware) expect(report.rejected[1]?.reason).toBe('there is no WebGL outside browsers');
  });

  it('reports, as soon as it runs', async () => {
    const reports: BackendReport[] = [];
    const report = await startBackend({ backend: 'cpu', onReport: (each) => reports.push(each) });
    expect(reports).toEqual([report]);
  });

  it('says why the backend that was asked for does not work, and keeps the one before', async () => {
    await startBackend({ backend: 'cpu' });
    const error = await refusal(startBackend({ backend: 'webgl' }));
    expect(error.message).toBe(
      'backends: expected a working webgl backend, got webgl: there is no WebGL outside browsers.',
    );
    expect(tf.getBackend()).toBe('cpu');
  });

  it('refuses a name that is none', async () => {
    const error = await refusal(startBackend({ backend: 'tpu' as 'cpu' }));
    expect(error).toMatchObject({ expected: 'auto, webgpu, webgl, wasm, cpu', actual: 'tpu' });
  });

  it('stops between two steps when it is told to', async () => {
    await expect(startBackend({ signal: AbortSignal.abort(new Error('never mind')) })).rejects.toThrow(
      'never mind',
    );
    expect(tf.getBackend()).toBeFalsy();
  });

  it('starts one at a time', async () => {
    const reports = await Promise.all([
      startBackend({ backend: 'cpu' }),
      startBackend({ backend: 'wasm' }),
      startBackend({ backend: 'cpu' }),
    ]);
    expect(reports.map(({ backend }) => backend)).toEqual(['cpu', 'wasm', 'cpu']);
    expect(tf.getBackend()).toBe('cpu');
  });

  it('keeps the threads that it has when it is asked for none', async () => {
    for (const [threads, device] of [
      [1, 'SIMD, 1 thread'],
      [undefined, 'SIMD, 1 thread'],
      [3, 'SIMD, 3 threads'],
      [undefined, 'SIMD, 3 threads'],
    ] as const) {
      expect(await startBackend({ backend: 'wasm', ...(threads && { threads }) })).toMatchObject({ device });
    }
  });

  it('stops the others at the next try if one does not stop', async () => {
    await startBackend({ backend: 'cpu' });
    vi.spyOn(tf.backend(), 'dispose').mockImplementation(() => {
      throw new Error('no');
    });
    await startBackend({ backend: 'wasm' });
    await expect(stopBackend()).rejects.toThrow('no');
    await stopBackend();
    expect(tf.findBackendFactory('wasm')).toBeFalsy();
    vi.restoreAllMocks();
    tf.removeBackend('cpu');
  });

  it('starts again after a stop, which leaves no trace', async () => {
    const hadNavigator = 'navigator' in globalThis;
    for (const backend of [...inject('backends'), ...inject('backends')]) {
      await startBackend({ backend });
      await stopBackend();
      expect(tf.getBackend()).toBeFalsy();
      expect(() => explainBackend()).toThrow(BackendError);
    }
    expect(globalThis.navigator?.gpu).toBeUndefined();
    expect('navigator' in globalThis).toBe(hadNavigator);
  });
});

describe('a backend that the application started itself', () => {
  /** In Node the name webgl is free. */
  async function startOwn(): Promise<void> {
    tf.registerBackend('webgl', () => new MathBackendCPU());
    if (!tf.getKernel(tf.Add, 'webgl')) tf.copyRegisteredKernels('cpu', 'webgl');
    await tf.setBackend('webgl');
  }

  it('is used as it is, and not stopped', async () => {
    await startOwn();
    const mine = tf.tensor1d([1, 2]);
    await startBackend({ backend: 'webgl' });
    await stopBackend();
    expect([...mine.dataSync()]).toEqual([1, 2]);
    mine.dispose();
    tf.removeBackend('webgl');
  });

  it('is refused if it computes wrongly', async () => {
    await startOwn();
    const stock = tf.getKernel(tf.BatchMatMul, 'webgl');
    const zeros: tf.KernelFunc = ({ inputs }) =>
      tf.zeros([...inputs.a!.shape.slice(0, -1), inputs.b!.shape.at(-1)!]);
    tf.unregisterKernel(tf.BatchMatMul, 'webgl');
    tf.registerKernel({ ...stock, kernelFunc: zeros });

    const error = await refusal(startBackend({ backend: 'webgl' }));
    expect(error.actual).toMatch(/^webgl: it computes wrongly: exp\(matMul\) gives 1 where 0\.\d+ is right$/);
    expect(tf.memory().numTensors).toBe(0);
    tf.removeBackend('webgl');
  });
});
