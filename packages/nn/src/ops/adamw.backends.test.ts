import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { type AdamWOptions, adamwStep } from './adamw';
import { randomHost, upload } from './testing/float64';

const base = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8 };
const shape = [3, 5];

/** The update as `torch.optim.AdamW` documents it, line by line. */
function torchStep(
  state: { p: Float64Array; m: Float64Array; v: Float64Array },
  gradient: Float64Array,
  { learningRate, beta1, beta2, eps, weightDecay, step }: AdamWOptions,
): void {
  for (let i = 0; i < gradient.length; i++) {
    const g = gradient[i]!;
    state.p[i]! -= learningRate * weightDecay * state.p[i]!;
    state.m[i] = beta1 * state.m[i]! + (1 - beta1) * g;
    state.v[i] = beta2 * state.v[i]! + (1 - beta2) * g * g;
    const mHat = state.m[i]! / (1 - beta1 ** step);
    const vHat = state.v[i]! / (1 - beta2 ** step);
    state.p[i]! -= (learningRate * mHat) / (Math.sqrt(vHat) + eps);
  }
}

describeBackends('adamwStep', () => {
  it.each([
    { what: 'no decay', weightDecay: 0, eps: 1e-8, scale: undefined },
    { what: 'decay and a large eps', weightDecay: 0.1, eps: 0.5, scale: undefined },
    { what: 'a scaled gradient', weightDecay: 0.1, eps: 1e-8, scale: 0.25 },
  ])('takes the steps of torch.optim.AdamW: $what', async ({ weightDecay, eps, scale }) => {
    const host = randomHost(shape, 1);
    const expected = {
      p: Float64Array.from(host.data),
      m: new Float64Array(host.data.length),
      v: new Float64Array(host.data.length),
    };
    await expectNoLeak(async () => {
      let state = { parameter: upload(host), m: tf.zeros(shape), v: tf.zeros(shape) };
      for (let step = 1; step <= 4; step++) {
        const options = { ...base, eps, weightDecay, step };
        const gradient = randomHost(shape, 10 + step);
        torchStep(
          expected,
          Float64Array.from(gradient.data, (g) => g * (scale ?? 1)),
          options,
        );
        const next = tf.tidy(() =>
          adamwStep({
            ...state,
            ...options,
            gradient: upload(gradient),
            scale: scale === undefined ? undefined : tf.scalar(scale),
          }),
        );
        tf.dispose(state);
        state = { ...next };
      }
      const want = (data: Float64Array) => ({ shape, data: Float32Array.from(data) });
      await assertTensorsClose(state.parameter, want(expected.p), { tolerance: 2e-6, name: 'parameter' });
      await assertTensorsClose(state.m, want(expected.m), { tolerance: 1e-6, name: 'm' });
      await assertTensorsClose(state.v, want(expected.v), { tolerance: 1e-6, name: 'v' });
      tf.dispose(state);
    });
  });

  it('reads variables and leaves them as they are', async () => {
    const host = randomHost(shape, 1);
    const variable = tf.variable(upload(host));
    const next = tf.tidy(() =>
      adamwStep({
        ...base,
        weightDecay: 0.1,
        step: 1,
        parameter: variable,
        gradient: tf.ones(shape),
        m: tf.zeros(shape),
        v: tf.zeros(shape),
      }),
    );
    await assertTensorsClose(variable, host, { tolerance: 0 });
    const moved = host.data.map((p) => p * (1 - 0.1 * 0.1) - 0.1);
    await assertTensorsClose(next.parameter, { shape, data: moved }, { tolerance: 2e-6 });
    tf.dispose([variable, next.parameter, next.m, next.v]);
  });
});
