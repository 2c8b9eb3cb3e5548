import { expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../tools/testing/backends';
import { describeBackend, explainBackend, startBackend } from './index';

describeBackends('startBackend', (backend) => {
  it('starts the backend that is asked for, and says so', async () => {
    const report = await startBackend({ backend });
    expect(tf.getBackend()).toBe(backend);
    expect(report).toMatchObject({ backend, rejected: [], reason: 'asked for by name, and works here' });
    expect(describeBackend(report)).toMatch(new RegExp(`^${backend}( \\(.+\\))?: asked for by name`));
    if (backend !== 'cpu') expect(report.device).toBeTruthy();
  });

  it('explains which kernels were added or replaced', () => {
    const text = explainBackend();
    expect(text).toContain(`${backend}`);
    expect(text).toContain('  Cumsum: with a negative axis');
    expect(text.includes('  Conv2DBackpropFilter: missing')).toBe(backend === 'wasm');
  });

  it('keeps the tensors of a backend that runs already, and leaves none of its own', async () => {
    const mine = tf.tensor1d([1, 2, 3]);
    await expectNoLeak(() => startBackend({ backend }));
    expect([...(await mine.data())]).toEqual([1, 2, 3]);
    mine.dispose();
  });

  it('brings gradients', async () => {
    const gradient = tf.tidy(() => tf.grad((x) => tf.square(x))(tf.tensor1d([3])));
    expect([...(await gradient.data())]).toEqual([6]);
    gradient.dispose();
  });
});
