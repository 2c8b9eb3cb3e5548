import { assertTensorsClose } from '@mmllm/conformance';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { activate, adamwUpdate, gated, layerNorm, rmsNorm, sumOfSquares } from '../../../nn/src/ops';
import {
  expectSameAsCpu,
  type Host,
  outputsOn,
  randomHost,
  startBoth,
  withGradients,
  withValue,
} from './testing/against-cpu';

beforeAll(startBoth);

const shapes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
const values = [Number.NaN, Number.POSITIVE_INFINITY];
const activations = ['gelu', 'gelu_tanh', 'quick_gelu', 'silu', 'relu', 'relu2', 'tanh', 'sigmoid'] as const;

describe.each(activations)('mmllm/Activate and mmllm/ActivateGrad on wasm: %s', (kind) => {
  const op = (...[x]: tf.Tensor[]) => activate(x!, kind);

  it('are the references for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.constantFrom(0.01, 1, 10), async (shape, scale) => {
        await expectSameAsCpu(withGradients(op), [randomHost(shape, 1, scale)], 5e-6);
      }),
      { numRuns: 25 },
    );
  });

  it('keep NaN, and take no elements', async () => {
    const x = withValue(randomHost([7], 1), 2, Number.NaN);
    const [out, dx] = await outputsOn('wasm', withGradients(op), [x]);
    for (const { data } of [out!, dx!]) expect([...data].map(Number.isNaN).indexOf(true)).toBe(2);
    expect(await outputsOn('wasm', op, [randomHost([0, 3], 1)])).toEqual([randomHost([0, 3], 1)]);
  });

  it('take what is large, and infinity, as the references do', async () => {
    const { POSITIVE_INFINITY: high, NEGATIVE_INFINITY: low } = Number;
    const data = Float32Array.of(high, low, 1e4, -1e4, 89, -89, 88.5, -88.5, 0);
    await expectSameAsCpu(withGradients(op), [{ shape: [9], data }], 1e-6);
  });
});

describe.each(activations)('mmllm/Gated and mmllm/GatedGrad on wasm: %s', (kind) => {
  const op = (...[gate, up]: tf.Tensor[]) => gated(gate!, up!, kind);

  it('are the references for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.constantFrom(0.01, 1, 10), async (shape, scale) => {
        await expectSameAsCpu(
          withGradients(op),
          [randomHost(shape, 1, scale), randomHost(shape, 2)],
          5e-6 * Math.max(1, scale),
        );
      }),
      { numRuns: 20 },
    );
  });

  it.each([0, 1])('keep NaN of input %d, and take no elements', async (place) => {
    const inputs = [randomHost([7], 1), randomHost([7], 2)];
    const [out] = await outputsOn(
      'wasm',
      op,
      inputs.map((host, i) => (i === place ? withValue(host, 2, Number.NaN) : host)),
    );
    expect([...out!.data].map(Number.isNaN).indexOf(true)).toBe(2);
    const none = randomHost([0, 3], 1);
    expect(await outputsOn('wasm', op, [none, none])).toEqual([none]);
  });
});

describe('mmllm/LayerNorm and its gradients on wasm', () => {
  const op = (...[x, gain, bias]: tf.Tensor[]) => layerNorm(x!, gain, bias, 1e-5);
  const inputs = (shape: number[], bias: boolean): Host[] => [
    randomHost(shape, 1),
    randomHost([shape.at(-1)!], 2),
    ...(bias ? [randomHost([shape.at(-1)!], 3)] : []),
  ];

  it('are the references for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.integer({ min: 2, max: 70 }), fc.boolean(), async (shape, width, bias) => {
        await expectSameAsCpu(withGradients(op), inputs([...shape.slice(1), width], bias), 5e-5);
      }),
      { numRuns: 50 },
    );
  });

  it.each(values)('pass %d on to its row', async (value) => {
    const [x, ...rest] = inputs([4, 6], true);
    await expectSameAsCpu(op, [withValue(x!, 8, value), ...rest], 1e-5);
  });

  it('take no rows', async () => {
    const [, ...gradients] = await outputsOn('wasm', withGradients(op), inputs([0, 3], true));
    expect(gradients[1]).toEqual({ shape: [3], data: new Float32Array(3) });
  });

  it('give the same bits again', async () => {
    const first = await outputsOn('wasm', withGradients(op), inputs([5, 33], true));
    expect(await outputsOn('wasm', withGradients(op), inputs([5, 33], true))).toEqual(first);
  });
});

describe.each([0, 1] as const)('mmllm/RmsNorm and its gradients on wasm, offset %d', (offset) => {
  const op = (...[x, gain]: tf.Tensor[]) => rmsNorm(x!, gain!, 1e-5, { offset });
  const inputs = (shape: number[]): Host[] => [randomHost(shape, 1), randomHost([shape.at(-1)!], 2)];

  it('are the references for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.integer({ min: 1, max: 70 }), async (shape, width) => {
        await expectSameAsCpu(withGradients(op), inputs([...shape.slice(1), width]), 5e-5);
      }),
      { numRuns: 40 },
    );
  });

  it.each([...values, Number.NEGATIVE_INFINITY])('pass %d on to its row', async (value) => {
    const [x, gain] = inputs([4, 6]);
    await expectSameAsCpu(op, [withValue(x!, 8, value), gain!], 1e-5);
  });

  it('take no rows', async () => {
    const [out, dx, dGain] = await outputsOn('wasm', withGradients(op), inputs([0, 3]));
    for (const host of [out, dx]) expect(host).toEqual({ shape: [0, 3], data: new Float32Array() });
    expect(dGain).toEqual({ shape: [3], data: new Float32Array(3) });
  });
});

describe('mmllm/AdamW on wasm', () => {
  const own = { learningRate: 0.1, weightDecay: 0.1, step: 3 };
  const op =
    (scale: number | undefined) =>
    (...[parameter, m, v, gradient]: tf.Tensor[]) => {
      const variables = [parameter!, m!, v!].map((tensor) => tf.variable(tensor));
      const target = { parameter: variables[0]!, m: variables[1]!, v: variables[2]! };
      adamwUpdate([{ ...target, gradient: gradient!, ...own }], {
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-6,
        scale,
      });
      const results = variables.map((variable) => tf.clone(variable));
      tf.dispose(variables);
      return results;
    };
  const inputs = (shape: number[]): Host[] => {
    const [parameter, m, v, gradient] = [1, 2, 3, 4].map((seed) => randomHost(shape, seed));
    return [parameter!, m!, { shape, data: v!.data.map(Math.abs) }, gradient!];
  };

  it('is the reference for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.constantFrom(undefined, 0.3), async (shape, scale) => {
        await expectSameAsCpu(op(scale), inputs(shape), 1e-6);
      }),
      { numRuns: 40 },
    );
  });

  it.each(values)('passes %d on', async (value) => {
    const [parameter, m, v, gradient] = inputs([7]);
    await expectSameAsCpu(op(undefined), [parameter!, m!, v!, withValue(gradient!, 5, value)], 1e-6);
  });

  it('takes no elements', async () => {
    expect(await outputsOn('wasm', op(0.3), inputs([0]))).toEqual(inputs([0]).slice(0, 3));
  });
});

describe('mmllm/SumOfSquares on wasm', () => {
  const op = (...[x]: tf.Tensor[]) => sumOfSquares(x!);
  const sum64 = ({ data }: Host) => Float32Array.of(data.reduce((sum, x) => sum + x * x, 0));

  it('is the sum in float64, to the last bit or the one beside it', async () => {
    // Three blocks and a rest, with values of very different sizes.
    for (const size of [1, 5, 8191, 8192, 3 * 8192 + 7]) {
      const host = randomHost([size], size);
      const spread = { ...host, data: host.data.map((x, i) => x * 10 ** (i % 7)) };
      const [sum] = await outputsOn('wasm', op, [spread]);
      await assertTensorsClose(sum!, { shape: [], data: sum64(spread) }, { tolerance: 1e-7 });
    }
  });

  it('is the reference for any shape', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        await expectSameAsCpu(op, [randomHost(shape, 1)], 1e-6);
      }),
      { numRuns: 25 },
    );
  });
});
