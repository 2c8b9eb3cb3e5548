import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import { ShapeError } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { type AdamWOptions, type AdamWTarget, adamwUpdate } from './adamw';
import { type Host, randomHost, upload } from './testing/float64';

const base = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8 };
const shape = [3, 5];

type Step = AdamWOptions & Pick<AdamWTarget, 'learningRate' | 'weightDecay' | 'step'>;

/** The update as `torch.optim.AdamW` documents it, line by line. */
function torchStep(
  state: { p: Float64Array; m: Float64Array; v: Float64Array },
  gradient: Float64Array,
  { learningRate, beta1, beta2, eps, weightDecay, step }: Step,
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

/** A variable with values of its own. */
function variable(host: Host): tf.Variable {
  return tf.tidy(() => tf.variable(upload(host)));
}

/** A parameter with zeros for m and v. */
function target(host: Host, parameter = variable(host)) {
  return { parameter, m: variable(zerosLike(host)), v: variable(zerosLike(host)) };
}

const zerosLike = ({ shape, data }: Host): Host => ({ shape, data: new Float32Array(data.length) });

/** One step, whose gradient is freed. */
function take(state: ReturnType<typeof target>, gradient: Host, { scale, ...options }: Step): void {
  tf.tidy(() => adamwUpdate([{ ...state, ...options, gradient: upload(gradient) }], { ...options, scale }));
}

describeBackends('adamwUpdate', () => {
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
      const state = target(host);
      for (let step = 1; step <= 4; step++) {
        const options = { ...base, eps, weightDecay, step };
        const gradient = randomHost(shape, 10 + step);
        torchStep(
          expected,
          Float64Array.from(gradient.data, (g) => g * (scale ?? 1)),
          options,
        );
        take(state, gradient, { ...options, scale });
      }
      const want = (data: Float64Array) => ({ shape, data: Float32Array.from(data) });
      await assertTensorsClose(state.parameter, want(expected.p), { tolerance: 2e-6, name: 'parameter' });
      await assertTensorsClose(state.m, want(expected.m), { tolerance: 1e-6, name: 'm' });
      await assertTensorsClose(state.v, want(expected.v), { tolerance: 1e-6, name: 'v' });
      tf.dispose(state);
    });
  });

  it('updates each target by its own learning rate, and leaves the gradients', async () => {
    const hosts = [randomHost([4], 1), randomHost([2, 3], 2)];
    await expectNoLeak(async () => {
      const states = hosts.map((host) => target(host));
      const gradients = hosts.map((host) => upload(randomHost(host.shape, 3)));
      const targets = states.map((state, i) => ({
        ...state,
        gradient: gradients[i]!,
        learningRate: 0.1 * (i + 1),
        weightDecay: 0,
        step: 1,
      }));
      adamwUpdate(targets, base);
      for (const [i, { parameter }] of states.entries()) {
        // The first step goes by the sign of the gradient.
        const signs = randomHost(hosts[i]!.shape, 3).data.map(Math.sign);
        const data = hosts[i]!.data.map((p, j) => p - 0.1 * (i + 1) * signs[j]!);
        await assertTensorsClose(parameter, { shape: hosts[i]!.shape, data }, { tolerance: 2e-6 });
        await assertTensorsClose(gradients[i]!, randomHost(hosts[i]!.shape, 3), { tolerance: 0 });
      }
      tf.dispose([states, gradients]);
    });
  });

  it('never changes a clone, a view or the tensor that a variable was made from', async () => {
    const host = randomHost(shape, 1);
    const options = { ...base, weightDecay: 0.1, step: 1 };
    await expectNoLeak(async () => {
      const made = upload(host);
      const state = target(host, tf.variable(made));
      const zeros = { m: tf.clone(state.m), v: tf.reshape(state.v, [15]) };
      take(state, randomHost(shape, 2), options);
      await assertTensorsClose(made, host, { tolerance: 0, name: 'its first value' });
      await assertTensorsClose(zeros.m, zerosLike(host), { tolerance: 0, name: 'the clone' });
      await assertTensorsClose(
        zeros.v,
        { ...zerosLike(host), shape: [15] },
        { tolerance: 0, name: 'the view' },
      );
      const after = await Promise.all(Object.values(state).map((tensor) => tensor.data()));
      const clones = Object.values(state).map((tensor) => tf.clone(tensor));
      take(state, randomHost(shape, 3), { ...options, step: 2 });
      for (const [i, clone] of clones.entries()) expect(await clone.data()).toEqual(after[i]);
      expect(await state.parameter.data()).not.toEqual(after[0]);
      tf.dispose([made, state, zeros, clones]);
    });
  });

  it('gives the same values whether or not it writes in place', async () => {
    const run = async (hold: boolean) => {
      const state = target(randomHost(shape, 1));
      for (let step = 1; step <= 3; step++) {
        const held = hold ? Object.values(state).map((tensor) => tf.clone(tensor)) : [];
        take(state, randomHost(shape, step), { ...base, weightDecay: 0.1, step, scale: 0.7 });
        tf.dispose(held);
      }
      const values = await Promise.all(Object.values(state).map((tensor) => tensor.data()));
      tf.dispose(state);
      return values;
    };
    expect(await run(false)).toEqual(await run(true));
  });

  it('refuses another shape, and changes nothing', async () => {
    const [good, bad] = [target(randomHost([4], 1)), target(randomHost([2, 3], 2))];
    const own = { learningRate: 1, weightDecay: 0, step: 1 };
    const gradient = tf.ones([4]);
    const targets = [good, bad].map((state) => ({ ...state, ...own, gradient }));
    expect(() => adamwUpdate(targets, base)).toThrow(ShapeError);
    expect(() => adamwUpdate(targets, base)).toThrow(
      'adamwUpdate, target 1: expected gradient of [2, 3], got [4]',
    );
    await assertTensorsClose(good.parameter, randomHost([4], 1), { tolerance: 0 });
    tf.dispose([good, bad, gradient]);
  });
});
