import { assertTensorsClose } from '@mmllm/conformance';
import { normal } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeBackends } from '../../../../tools/testing/backends';
import { activate } from '../ops';
import { againstFloat64, product, randomHost, upload } from '../ops/testing/float64';
import { route64 } from '../ops/testing/moe64';
import { MoeMlp, type MoeMlpOptions } from './moe-mlp';

const sizes = { hiddenSize: 4, intermediateSize: 6, numExperts: 5, numExpertsPerToken: 2 } as const;
const options: MoeMlpOptions = { ...sizes, activation: 'silu', initializer: normal(0.7) };

const forms: Pick<MoeMlpOptions, 'routing'>[] = [
  {},
  { routing: { softmax: 'all' } },
  { routing: { softmax: 'all', normalize: true } },
];

const silu = (x: number) => x / (1 + Math.exp(-x));

/** The layer for rows [N, hiddenSize] in double precision, token by token and expert by expert. */
function moe64([x, router, gate, up, down]: Float64Array[], routing: MoeMlpOptions['routing']): Float64Array {
  const { hiddenSize: width, intermediateSize: inner, numExperts, numExpertsPerToken } = sizes;
  const out = new Float64Array(x!.length);
  const matrix = (all: Float64Array, e: number) => all.subarray(e * width * inner, (e + 1) * width * inner);
  for (let at = 0; at < x!.length; at += width) {
    const row = x!.subarray(at, at + width);
    const { experts, weights } = route64(
      [...product(row, router!, [1, width, numExperts])],
      numExpertsPerToken,
      routing,
    );
    for (const [i, e] of experts.entries()) {
      const gates = product(row, matrix(gate!, e), [1, width, inner]);
      const ups = product(row, matrix(up!, e), [1, width, inner]);
      const mixed = gates.map((g, j) => silu(g) * ups[j]!);
      const part = product(mixed, matrix(down!, e), [1, inner, width]);
      for (let j = 0; j < width; j++) out[at + j]! += weights[i]! * part[j]!;
    }
  }
  return out;
}

describeBackends('MoeMlp', () => {
  it.each(forms)('is the sum of the chosen experts, with gradients of all weights: %o', async (form) => {
    const layer = new MoeMlp({ ...options, ...form });
    layer.initialize({ seed: 3 });
    const parameters = [...layer.namedParameters()].map(([, parameter]) => parameter);
    const hosts = await Promise.all(
      parameters.map(async (parameter) => ({ shape: [...parameter.shape], data: await parameter.read() })),
    );
    const x = randomHost([2, 3, 4], 5, 2);
    const pairs = await againstFloat64(
      (input, ...weights) => withWeights(layer, weights, () => layer.forward(input!)),
      (...values) => ({ shape: x.shape, data: moe64(values, form.routing) }),
      [x, ...hosts],
    );
    expect(pairs).toHaveLength(6);
    for (const { actual, expected, name } of pairs) {
      await assertTensorsClose(actual, expected, { tolerance: 5e-5, name });
    }
    layer.dispose();
  });

  it('leaves experts that no token goes to without a gradient', async () => {
    const layer = new MoeMlp({ ...options, numExpertsPerToken: 1 });
    layer.initialize({ seed: 3 });
    const { gateProj } = layer;
    const x = randomHost([1, 4], 1);
    const gradient = tf.tidy(() => {
      const { grads } = tf.variableGrads(() => tf.sum(layer.forward(upload(x))), [gateProj.value]);
      return Object.values(grads)[0]!;
    });
    const values = await gradient.data();
    const used = Array.from({ length: 5 }, (_, e) =>
      values.subarray(e * 24, (e + 1) * 24).some((value) => value !== 0),
    );
    expect(used.filter(Boolean)).toHaveLength(1);
    gradient.dispose();
    layer.dispose();
  });

  it('adds a residual, and gives the same bits again', async () => {
    const layer = new MoeMlp(options);
    layer.initialize({ seed: 3 });
    const run = async (residual: boolean) => {
      const out = tf.tidy(() => {
        const x = activate(upload(randomHost([7, 4], 1)), 'tanh');
        return residual ? layer.forward(x, { residual: x }) : tf.add(layer.forward(x), x);
      });
      const values = await out.data();
      out.dispose();
      return values;
    };
    const once = await run(true);
    expect(await run(true)).toEqual(once);
    await assertTensorsClose(
      { shape: [once.length], data: await run(false) },
      { shape: [once.length], data: once },
      { tolerance: 1e-6 },
    );
    layer.dispose();
  });
});

/** Runs `f` with tensors in the place of a layer's weights, so that a tape sees them. */
function withWeights<T>(layer: MoeMlp, weights: readonly tf.Tensor[], f: () => T): T {
  const parameters = [...layer.namedParameters()].map(([, parameter]) => parameter);
  parameters.forEach((parameter, i) => {
    Object.defineProperty(parameter, 'value', { value: weights[i], configurable: true });
  });
  try {
    return f();
  } finally {
    for (const parameter of parameters) Reflect.deleteProperty(parameter, 'value');
  }
}
