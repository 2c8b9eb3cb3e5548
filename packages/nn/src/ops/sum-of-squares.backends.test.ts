import { assertTensorsClose } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { sumOfSquares } from './sum-of-squares';
import { type Host, randomHost, upload } from './testing/float64';

async function of(host: Host): Promise<number> {
  const sum = tf.tidy(() => sumOfSquares(upload(host)));
  const [value] = await sum.data();
  sum.dispose();
  return value!;
}

describeBackends('sumOfSquares', (backend) => {
  it.each([[[]], [[1]], [[7]], [[3, 5]], [[2, 3, 4, 5]], [[40_001]]])('of %j', async (shape) => {
    const host = randomHost(shape, 1);
    const data = Float32Array.of(host.data.reduce((sum, x) => sum + x * x, 0));
    const sum = tf.tidy(() => sumOfSquares(upload(host)));
    await assertTensorsClose(sum, { shape: [], data }, { tolerance: 2e-6 });
    sum.dispose();
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('passes %d on', async (value) => {
    const host = randomHost([9, 11], 1);
    expect(await of({ ...host, data: host.data.with(50, value) })).toBe(value);
  });

  it('is infinite where float32 ends', async () => {
    expect(await of({ shape: [2], data: Float32Array.of(1e19, 1e19) })).toBeCloseTo(2e38, -33);
    expect(await of({ shape: [5], data: new Float32Array(5).fill(1e20) })).toBe(Number.POSITIVE_INFINITY);
  });

  // Reductions of nothing are a fault of the stock kernels elsewhere.
  if (backend === 'cpu' || backend === 'wasm') {
    it('of nothing is zero', async () => expect(await of(randomHost([0, 3], 1))).toBe(0));
  }
});
