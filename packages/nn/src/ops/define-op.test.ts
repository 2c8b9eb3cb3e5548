import { startBackend } from '@mmllm/backends';
import { assertTensorsClose, expectNoLeak } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { attention } from './attention';
import { defineOp } from './define-op';
import { layerNorm } from './layer-norm';
import { linear } from './linear';
import { randomHost, upload } from './testing/float64';

const names: string[] = [];

/** A scaled product `a · b · factor` with an output for the gradient only, and spies on all its parts. */
function scaledProduct() {
  const name = `mmllm/Test${names.length}` as const;
  names.push(name);
  const calls = { reference: vi.fn(), a: vi.fn(), b: vi.fn(), shared: vi.fn() };
  const op = defineOp<{ a: tf.Tensor; b: tf.Tensor; c?: tf.Tensor }, { factor: Float32Array }, 'a' | 'b'>({
    name,
    reference: ({ a, b, c }, { factor }) => {
      calls.reference();
      const product = tf.mul(tf.mul(a, b), factor[0]!);
      return [c ? tf.add(product, c) : product, tf.tensor1d(factor)];
    },
    inputsToSave: ['a', 'b'],
    outputsToSave: [false, true],
    backward: ({ dy, inputs: { a, b }, outputs: [factor], share }) => {
      const scaled = share(() => {
        calls.shared();
        return [tf.mul(dy, factor!)];
      })[0]!;
      return {
        a: () => {
          calls.a();
          return tf.mul(scaled, b);
        },
        b: () => {
          calls.b();
          return tf.mul(scaled, a);
        },
        c: () => tf.clone(dy),
      };
    },
  });
  return {
    name,
    calls,
    run: (a: tf.Tensor, b: tf.Tensor, c?: tf.Tensor) => op({ a, b, c }, { factor: FACTOR }),
  };
}

const FACTOR = Float32Array.of(3);

/** Registers a kernel for the time of one test. */
function withKernel(kernelName: string, kernelFunc: tf.KernelFunc, body: () => void): void {
  const before = tf.getKernel(kernelName, 'cpu');
  if (before) tf.unregisterKernel(kernelName, 'cpu');
  tf.registerKernel({ kernelName, backendName: 'cpu', kernelFunc });
  try {
    body();
  } finally {
    tf.unregisterKernel(kernelName, 'cpu');
    if (before) tf.registerKernel(before);
  }
}

/** How often each kernel of ours ran in `fn`. */
async function kernelCounts(fn: () => tf.TensorContainer): Promise<Record<string, number>> {
  const { kernels } = await tf.profile(() => tf.tidy(fn));
  const ours = kernels.map(({ name }) => name).filter((name) => name.startsWith('mmllm/'));
  return Object.fromEntries([...new Set(ours)].map((name) => [name, ours.filter((n) => n === name).length]));
}

beforeAll(async () => {
  await startBackend({ backend: 'cpu' });
});

afterEach(() => {
  for (const name of names.splice(0)) {
    if (tf.getKernel(name, 'cpu')) tf.unregisterKernel(name, 'cpu');
    if (tf.getGradient(name)) tf.unregisterGradient(name);
  }
});

describe('defineOp', () => {
  it('registers nothing before the first call, and its reference with it', () => {
    const { name, run } = scaledProduct();
    expect(tf.getKernel(name, 'cpu')).toBeUndefined();
    expect(tf.getGradient(name)).toBeUndefined();
    tf.tidy(() => run(tf.scalar(2), tf.scalar(5)));
    expect(tf.getKernel(name, 'cpu')).toBeDefined();
    expect(tf.getGradient(name)).toBeDefined();
  });

  it('leaves only its result, and nothing of a gradient', async () => {
    const { run } = scaledProduct();
    const [a, b, c] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 4]), tf.tensor1d([5, 6])];
    await expectNoLeak(async () => {
      const before = tf.memory().numTensors;
      const out = run(a, b);
      expect(tf.memory().numTensors).toBe(before + 1);
      await assertTensorsClose(out, { shape: [2], data: [9, 24] }, { tolerance: 0 });
      out.dispose();
    });
    await expectNoLeak(async () => {
      const gradients = tf.tidy(() => tf.grads(run)([a, b, c], tf.tensor1d([1, 10])));
      await assertTensorsClose(gradients[0]!, { shape: [2], data: [9, 120] }, { tolerance: 0 });
      await assertTensorsClose(gradients[1]!, { shape: [2], data: [3, 60] }, { tolerance: 0 });
      await assertTensorsClose(gradients[2]!, { shape: [2], data: [1, 10] }, { tolerance: 0 });
      tf.dispose(gradients);
    });
    tf.dispose([a, b, c]);
  });

  it('works under variableGrads, also where its result feeds it again', async () => {
    const { run } = scaledProduct();
    const weight = tf.variable(tf.tensor1d([1, 2]));
    const x = tf.tensor1d([3, 4]);
    await expectNoLeak(async () => {
      const { value, grads } = tf.variableGrads(() => tf.sum(run(run(x, weight), weight)), [weight]);
      // Σ 9·x·w², so 18·x·w.
      await assertTensorsClose(value, { shape: [], data: [9 * 3 + 9 * 16] }, { tolerance: 0 });
      await assertTensorsClose(grads[weight.name]!, { shape: [2], data: [54, 144] }, { tolerance: 0 });
      tf.dispose([value, grads[weight.name]!]);
    });
    tf.dispose([weight, x]);
  });

  it('asks only for the gradients that something trained depends on, and shares once', () => {
    const { calls, run } = scaledProduct();
    tf.tidy(() => {
      const frozen = tf.tensor1d([3, 4]);
      tf.grad((a: tf.Tensor) => run(run(a, frozen), frozen))(tf.tensor1d([1, 2]));
    });
    expect(calls.a).toHaveBeenCalledTimes(2);
    expect(calls.b).not.toHaveBeenCalled();
    expect(calls.shared).toHaveBeenCalledTimes(2);
  });

  it('frees what one node shares when the next begins', () => {
    const numShared: number[] = [];
    const { calls, run } = scaledProduct();
    calls.a.mockImplementation(() => numShared.push(tf.memory().numTensors));
    tf.tidy(() => {
      const b = tf.tensor1d([1]);
      tf.grad((x: tf.Tensor) => run(run(run(run(x, b), b), b), b))(tf.tensor1d([2]));
    });
    // Each node leaves one more gradient behind; what it shares would be a second.
    const growth = numShared.slice(1).map((count, i) => count - numShared[i]!);
    expect(growth).toEqual([1, 1, 1]);
  });

  it('runs a kernel that was registered before the first call, with the attributes as they are', () => {
    const { name, calls, run } = scaledProduct();
    const seen = vi.fn();
    const fake: tf.KernelFunc = ({ inputs, attrs }) => {
      seen(attrs);
      return [tf.zerosLike(inputs.a as tf.Tensor), tf.tensor1d([3])];
    };
    withKernel(name, fake, () => {
      const out = tf.tidy(() => run(tf.scalar(2), tf.scalar(5)));
      expect(out.dataSync()[0]).toBe(0);
      out.dispose();
    });
    expect(calls.reference).not.toHaveBeenCalled();
    expect(seen.mock.calls[0]![0].factor).toBe(FACTOR);
  });

  it('runs a kernel that takes the place of the reference later', () => {
    const { name, calls, run } = scaledProduct();
    tf.tidy(() => run(tf.scalar(2), tf.scalar(5)));
    const fake = vi.fn<tf.KernelFunc>(() => [tf.tensor1d([7]), tf.tensor1d([3])]);
    withKernel(name, fake, () => {
      tf.tidy(() => tf.grad((a: tf.Tensor) => run(a, tf.tensor1d([5])))(tf.tensor1d([2])));
    });
    expect(fake).toHaveBeenCalledTimes(1);
    expect(calls.reference).toHaveBeenCalledTimes(1);
    expect(calls.a).toHaveBeenCalledTimes(1);
  });
});

describe('the ops', () => {
  it('compute no gradient of a frozen weight', async () => {
    const x = upload(randomHost([5, 3], 1));
    const weight = tf.variable(upload(randomHost([3, 4], 2)));
    const bias = tf.variable(upload(randomHost([4], 3)));
    const forward = () => linear(x, weight, { bias, activation: 'silu' });

    const onlyBias = await kernelCounts(() => tf.variableGrads(() => tf.sum(forward()), [bias]).grads);
    expect(onlyBias['mmllm/MatMul']).toBeUndefined();
    const onlyWeight = await kernelCounts(() => tf.variableGrads(() => tf.sum(forward()), [weight]).grads);
    expect(onlyWeight).toEqual({ 'mmllm/Linear': 1, 'mmllm/ActivateGrad': 1, 'mmllm/MatMul': 1 });
    const onlyX = await kernelCounts(() => tf.grad((input: tf.Tensor) => linear(input, weight, { bias }))(x));
    expect(onlyX).toEqual({ 'mmllm/Linear': 1, 'mmllm/MatMul': 1 });
    tf.dispose([x, weight, bias]);
  });

  it('compute no gradient of a frozen gain', async () => {
    const gain = upload(randomHost([3], 2)) as tf.Tensor1D;
    const x = upload(randomHost([5, 3], 1));
    const counts = await kernelCounts(() =>
      tf.grad((input: tf.Tensor) => layerNorm(input, gain, gain, 1e-5))(x),
    );
    expect(counts).toEqual({ 'mmllm/LayerNorm': 1, 'mmllm/LayerNormGrad': 1 });
    tf.dispose([x, gain]);
  });

  it('compute the gradients of attention in one kernel', async () => {
    const inputs = [1, 2, 3].map((seed) => upload(randomHost([1, 3, 4], seed)) as tf.Tensor3D);
    const attend = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) =>
      attention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, { causal: true }, { numHeads: 2 });
    const counts = await kernelCounts(() => tf.grads(attend)(inputs));
    expect(counts['mmllm/AttentionGrad']).toBe(1);
    tf.dispose(inputs);
  });

  it('use a kernel that replaces one of theirs, inside each other too', () => {
    const fake = vi.fn<tf.KernelFunc>(({ inputs }) =>
      tf.matMul(inputs.a as tf.Tensor, inputs.b as tf.Tensor),
    );
    withKernel('mmllm/MatMul', fake, () => {
      tf.tidy(() => {
        const [x, weight] = [upload(randomHost([2, 2], 1)), upload(randomHost([2, 2], 2))];
        tf.grads((a: tf.Tensor, b: tf.Tensor) => linear(a, b))([x, weight]);
      });
    });
    expect(fake).toHaveBeenCalledTimes(2);
  });
});
