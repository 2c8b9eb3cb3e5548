import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { adamwUpdate, linear, matmul } from '../../../nn/src/ops';
import { packedWeights } from './packed-weights';
import { sideModule } from './side-module';
import { outputsOn, randomHost, startBoth, upload } from './testing/against-cpu';

beforeAll(startBoth);
beforeEach(() => tf.setBackend('wasm'));

const wasm = () => tf.backend() as BackendWasm;
const packedBytes = () => packedWeights(wasm(), sideModule(wasm())).bytes;

const [rows, k, n] = [20, 130, 141];
/** Columns in whole panels of eight. */
const bytesPlain = 4 * k * 144;
const bytesTransposed = 4 * n * 136;

describe('packed copies of weights', () => {
  it('are made at the second use, give the same product, and go with the weight', async () => {
    const [x, weight, bias] = [randomHost([rows, k], 1), randomHost([k, n], 2), randomHost([n], 3)];
    const [expected] = await outputsOn('cpu', (...all) => linear(all[0]!, all[1]!, { bias: all[2] }), [
      x,
      weight,
      bias,
    ]);
    await tf.setBackend('wasm');
    await expectNoLeak(async () => {
      const tensors = [x, weight, bias].map(upload);
      for (const bytes of [0, bytesPlain, bytesPlain]) {
        const out = linear(tensors[0]!, tensors[1]!, { bias: tensors[2] });
        await assertTensorsClose(out, expected!, { tolerance: 1e-5 });
        expect(packedBytes()).toBe(bytes);
        out.dispose();
      }
      tf.dispose(tensors);
    });
    expect(packedBytes()).toBe(0);
  });

  it('serve the other direction too', async () => {
    const [dy, weight] = [randomHost([rows, n], 1), randomHost([k, n], 2)];
    const product = (a: tf.Tensor, b: tf.Tensor) => matmul(a, b, { transposeB: true });
    const [expected] = await outputsOn('cpu', (a, b) => product(a!, b!), [dy, weight]);
    await tf.setBackend('wasm');
    const tensors = [dy, weight].map(upload);
    for (const bytes of [0, bytesTransposed, bytesTransposed]) {
      const out = product(tensors[0]!, tensors[1]!);
      await assertTensorsClose(out, expected!, { tolerance: 1e-5 });
      expect(packedBytes()).toBe(bytes);
      out.dispose();
    }
    tf.dispose(tensors);
    expect(packedBytes()).toBe(0);
  });

  it('are not made of few rows, which read the weight as it lies', () => {
    const tensors = [randomHost([2, k], 1), randomHost([k, n], 2)].map(upload);
    for (let i = 0; i < 3; i++) linear(tensors[0]!, tensors[1]!).dispose();
    expect(packedBytes()).toBe(0);
    tf.dispose(tensors);
  });

  it('are outdated once the weight has changed in place', async () => {
    const x = upload(randomHost([rows, k], 1));
    const variable = (seed: number) => tf.tidy(() => tf.variable(tf.abs(upload(randomHost([k, n], seed)))));
    const [parameter, m, v] = [variable(2), variable(3), variable(4)];
    const gradient = tf.ones([k, n]);
    for (let i = 0; i < 3; i++) linear(x, parameter).dispose();
    expect(packedBytes()).toBe(bytesPlain);
    const { dataId } = parameter;
    adamwUpdate([{ parameter, gradient, m: m, v, learningRate: 0.1, weightDecay: 0, step: 1 }], {
      beta1: 0.9,
      beta2: 0.99,
      eps: 1e-8,
    });
    expect(parameter.dataId).toBe(dataId);
    const out = linear(x, parameter);
    const expected = tf.tidy(() => linear(x, tf.mul(parameter, 1)));
    await assertTensorsClose(out, expected, { tolerance: 0 });
    expect(packedBytes()).toBe(0);
    tf.dispose([x, parameter, m, v, gradient, out, expected]);
  });
});
