import { Worker } from 'node:worker_threads';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, expect, it, vi } from 'vitest';
import { matmul } from '../../../nn/src/ops';
import { startBackend, stopBackend } from '../index';
import { sideModule } from './side-module';

afterEach(async () => {
  vi.restoreAllMocks();
  await stopBackend();
});

it('is left alone by helpers of the pool before it that are slow to end', async () => {
  const slow: Worker[] = [];
  const { terminate } = Worker.prototype;
  vi.spyOn(Worker.prototype, 'terminate').mockImplementation(async function (this: Worker) {
    slow.push(this);
    return 0;
  });
  try {
    await startBackend({ backend: 'wasm', threads: 6 });
    // Time for the helpers to come up.
    await new Promise((done) => setTimeout(done, 300));
    await startBackend({ backend: 'wasm', threads: 2 });
    expect(slow.length).toBe(5);
    const kernels = sideModule(tf.backend() as BackendWasm);
    kernels.splitFrom(0);
    const x = tf.ones<tf.Rank.R2>([256, 256]);
    matmul(x, x).dispose();
    // Behind the scratch memory, which has room for two threads.
    const behind = tf.ones([2 ** 20]);
    for (let i = 0; i < 500; i++) matmul(x, x).dispose();
    kernels.splitFrom(1e5);
    expect(behind.dataSync().every((value) => value === 1)).toBe(true);
    tf.dispose([x, behind]);
  } finally {
    for (const worker of slow) await terminate.call(worker);
  }
});
